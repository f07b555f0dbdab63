"""What every operator of this package has: a configuration."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import BaseOperator
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ProfileMeshError, UnknownTableError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.usecases.profile import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from profilemesh_airflow.usecases.workspace import Workspace


class ProfileMeshOperator(BaseOperator):
    """Base of the operators: opens the configuration when the task runs, never while the DAG file is parsed.

    The operators set ``config_path`` themselves, each in the one ``__init__`` it has: Airflow wraps every one in the
    hierarchy, and a file with thousands of generated tasks pays for each.
    """

    template_fields: Sequence[str] = ("config_path",)
    ui_color = "#d5ece4"

    config_path: str

    _at_work = False

    @contextmanager
    def open_workspace(self) -> Iterator[Workspace]:
        """The configuration with its databases.

        An error of this package leaves it without the driver's own below it, which would fill the task's log: the
        message says what happened, where, and how to mend it.
        """
        self._at_work = True
        try:
            with ProfileMeshHook(self.config_path).workspace() as workspace:
                yield workspace
        except ProfileMeshError as error:
            self.log.debug("what led to the error", exc_info=True)
            raise error from None
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

    template_fields: Sequence[str] = ("config_path", "table", "schema", "database")

    table: str
    schema: str
    database: str

    def find_ref(self, workspace: Workspace) -> TableRef:
        """The operator's table in the plan.

        :raises UnknownTableError: the configuration does not list it (any more).
        """
        ref = TableRef(self.table, self.schema, self.database)
        if ref not in workspace.refs:
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
