"""Ringing for one table, on an Airflow that publishes on all outlets of a task or on none."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.operators.base import ProfileMeshSingleTableOperator
from profilemesh_airflow.usecases.refresh import mark_rung, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.compat.airflow import XComArg


class ProfileMeshDoorbellOperator(ProfileMeshSingleTableOperator):
    """Publishes an event on its outlet, one table's change asset, when that table's change waits for a worker.

    Otherwise the task is skipped, and a skipped task publishes nothing. ``build_plan_refresh_dag`` makes one of these a
    table on Airflow 2.4 to 2.9, which has no asset alias; later ones use
    :class:`~profilemesh_airflow.operators.refresh.ProfileMeshRingOperator`.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param change_ids: changes in the ledger that are to be rung, in chunks, as the detecting task returns them
        (templated).
    :param table: the table's name (templated).
    :param schema: its schema, if the configuration gives one (templated).
    :param database: its database, if the configuration gives one (templated).
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "change_ids", "table", "schema", "database")

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        change_ids: list[list[str]] | XComArg,
        table: str,
        schema: str = "",
        database: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        # A result of another task is an XComArg until Airflow renders the templates.
        self.change_ids: Any = change_ids
        self.table = table
        self.schema = schema
        self.database = database

    def execute(self, context: Mapping[str, Any]) -> None:
        """Ring, or skip; Airflow publishes the event together with the task's success."""
        ref = TableRef(self.table, self.schema, self.database)
        with self.open_workspace(context) as workspace:
            entries = [
                entry for entry in waiting(workspace, chain.from_iterable(self.change_ids)) if entry.key == ref.key
            ]
            if not entries:
                raise AirflowSkipException(f"no change of {ref.display} is to be rung that waits for a worker")
            for entry in entries:
                self.log.info("ringing for %s: %s", entry.key, "; ".join(map(str, entry.reasons)))
            mark_rung(workspace, entries)
