"""Selecting tables as a task, for mapped tasks that profile them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.operators.base import ProfileMeshOperator, check_patterns
from profilemesh_airflow.usecases.planning import matching_tables
from profilemesh_airflow.usecases.profile import select_changes, select_open

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ProfileMeshSelectOperator(ProfileMeshOperator):
    """Records in the ledger which tables are to be profiled, and returns their keys.

    Expand a ``ProfileMeshTableOperator(changed_only=True)`` over them: one mapped task a table, and none where nothing
    changed.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param table_patterns: as of :class:`.ProfileMeshProfilingOperator`; none means every table (templated).
    :param changed_only: just those that changed, or whose profile failed before. Without it, each of the tables.
    :param force: each of the tables, even those that are parked since they failed too often.
    :raises ConfigError: a pattern has a key that no pattern has.
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "table_patterns")

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        table_patterns: Sequence[Mapping[str, str] | str] | None = None,
        changed_only: bool = True,
        force: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        check_patterns(self.task_id, table_patterns)
        self.table_patterns = table_patterns
        self.changed_only = changed_only
        self.force = force

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Look, record, and name the tables."""
        with self.open_workspace(context) as workspace:
            patterns = self.table_patterns
            named = None if patterns is None else [ref.key for ref in matching_tables(workspace, patterns)]
            if named == []:
                return []
            if self.changed_only and not self.force:
                refs = select_open(workspace, named or ())
            else:
                instance = context["ti"]
                reason = f"task {instance.dag_id}/{instance.task_id}"
                refs = select_changes(workspace, named or (), force=self.force, reason=reason)
        self.log.info("%d table(s) are to be profiled", len(refs))
        return [ref.key for ref in refs]
