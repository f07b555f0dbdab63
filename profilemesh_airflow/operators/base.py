"""What every operator of this package has: a configuration, named by its path or by a connection."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import BaseOperator
from profilemesh_airflow.core.naming import fault_of_pattern, find_table
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.events import task_events
from profilemesh_airflow.exceptions import ConfigError, UnknownTableError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.usecases.profile import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from profilemesh_airflow.events import Callbacks
    from profilemesh_airflow.usecases.workspace import Workspace


def check_patterns(task_id: str, patterns: object) -> None:
    """See what is wrong with ``table_patterns`` without knowing the tables, or what a template is going to give.

    :raises ConfigError: a pattern has a key that no pattern has.
    """
    for pattern in patterns if isinstance(patterns, (list, tuple)) else ():
        fault = fault_of_pattern(pattern)
        if fault is not None:
            raise ConfigError(f"task {task_id}: table_patterns: {fault}")


class ProfileMeshOperator(BaseOperator):
    """Base of the operators: opens the configuration when the task runs, never while the DAG file is parsed.

    The operators set ``config_path`` and ``profilemesh_conn_id`` themselves, each in the one ``__init__`` it has:
    Airflow wraps every one in the hierarchy, and a file with thousands of generated tasks pays for each.
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id")
    ui_color = "#d5ece4"

    config_path: str | None
    profilemesh_conn_id: str | None

    emit_xcom = True
    pre_profiling: Callbacks = None
    post_profiling: Callbacks = None

    _at_work = False

    @property
    def hook(self) -> ProfileMeshHook:
        """A new hook; nothing is read or looked up before it is used."""
        return ProfileMeshHook(self.config_path, self.profilemesh_conn_id)

    @contextmanager
    def open_workspace(self, context: Mapping[str, Any]) -> Iterator[Workspace]:
        """The configuration with its databases; what happens there is told in the name of the task."""
        self._at_work = True
        try:
            with (
                self.hook.open_workspace() as workspace,
                task_events(
                    context,
                    workspace.events,
                    xcom=self.emit_xcom,
                    before=self.pre_profiling,
                    after=self.post_profiling,
                ),
            ):
                yield workspace
        finally:
            self._at_work = False

    def on_kill(self) -> None:
        """Leave the work when Airflow ends the task.

        Airflow calls this in the task's own thread, on SIGTERM, and kills the process some seconds later. Returning
        would let the work go on until then. This way, what runs in the database is stopped and a claimed change is
        given back at once. Airflow may still retry the task.
        """
        if self._at_work:
            raise SystemExit("the task was told to stop")


class ProfileMeshSingleTableOperator(ProfileMeshOperator):
    """Base of the operators that are about one table."""

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "table", "schema", "database")

    table: str
    schema: str
    database: str

    def find_ref(self, workspace: Workspace) -> TableRef:
        """The operator's table in the plan; a bare ``table`` may be a whole key, or a name that only one table has.

        :raises UnknownTableError: the configuration does not list it (any more).
        """
        ref = TableRef(self.table, self.schema, self.database)
        if ref in workspace.tables:
            return ref
        with suppress(UnknownTableError):
            ref = find_table(workspace.refs, ref.key if ref.schema or ref.database else ref.table)
        if ref not in workspace.tables:
            raise UnknownTableError(
                f"table {ref.display!r} is not listed in {workspace.config.path}; "
                "list it under profiling.tables, or take the task away"
            )
        return ref


def worker_of(context: Mapping[str, Any]) -> Worker:
    """Who runs, for the ledger: the task instance and its machine."""
    instance = context["ti"]
    name = f"{instance.dag_id}/{instance.run_id}/{instance.task_id} try {instance.try_number} on {socket.gethostname()}"
    return Worker(name, instance.dag_id, instance.run_id)
