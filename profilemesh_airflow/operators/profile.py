"""Profiling as a task: one table, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError, ProfileError
from profilemesh_airflow.operators.base import ProfileMeshOperator, ProfileMeshSingleTableOperator, worker_of
from profilemesh_airflow.operators.summary import profile_summary, run_summary
from profilemesh_airflow.usecases.outcome import Failed, Profiled, Skipped, split
from profilemesh_airflow.usecases.profile import profile_change, profile_tables, select_changes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.usecases.workspace import Workspace


#: What a table that fails does to a task of several.
FAIL, CONTINUE = "fail", "continue"


class ProfileMeshTableOperator(ProfileMeshSingleTableOperator):
    """Profiles one table, and commits metrics, baseline and ledger in one transaction.

    The summary of the profile is returned, and pushed as ``profiling_result``.

    :param config_path: path of the ProfileMesh configuration (templated).
    :param table: the table's name (templated).
    :param schema: its schema, if the configuration gives one (templated).
    :param database: its database, if the configuration gives one (templated).
    :param changed_only: profile the table only if the ledger holds an open change for it, and skip the task otherwise.
        This is what a per-table DAG does when its doorbell rings. Without it, the table is profiled in any case; so
        it is when the run was started with the configuration ``{"force": true}``.
    """

    def __init__(
        self,
        *,
        config_path: str,
        table: str,
        schema: str = "",
        database: str = "",
        changed_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.table = table
        self.schema = schema
        self.database = database
        self.changed_only = changed_only

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Claim, profile, commit.

        :raises ProfileError: the table could not be profiled; the change stays open, with the error.
        """
        worker = worker_of(context)
        force = bool((context["dag_run"].conf or {}).get("force"))
        with self.open_workspace() as workspace:
            ref = self.find_ref(workspace)
            if force or not self.changed_only:
                select_changes(workspace, [ref.key], force=force, reason=f"task {worker.dag_id}/{self.task_id}")
            outcome = profile_change(workspace, ref, worker)
            if isinstance(outcome, Skipped):
                raise AirflowSkipException(outcome.why)
            if isinstance(outcome, Failed):
                raise ProfileError(f"{ref.display}: {outcome.error}")
            return self._publish(context, workspace, outcome)

    def _publish(self, context: Mapping[str, Any], workspace: Workspace, outcome: Profiled) -> dict[str, Any]:
        summary = profile_summary(outcome)
        asset = table_asset(workspace.identity, "profile", outcome.ref)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = outcome.as_dict()
        context["ti"].xcom_push(key="profiling_result", value=summary)
        return summary


class ProfileMeshProfilingOperator(ProfileMeshOperator):
    """Profiles several tables, one after the other. One that fails does not stop the others.

    The summary is returned, and pushed as ``profiling_results``: the profiles, and the tables that failed with their
    errors. The change of a table that failed stays open in the ledger, and the next refresh rings for it.

    :param config_path: path of the ProfileMesh configuration (templated).
    :param table_patterns: the tables, each a mapping of ``table`` and, where the configuration gives them, ``schema``
        and ``database``; none means every table of the configuration (templated).
    :param emit_xcom: whether to push ``profiling_results``.
    :param on_failure: ``fail`` fails the task in the end, when a table has failed; ``continue`` lets it succeed. What
        concerns not one table but all (the store cannot be reached, say) fails the task in either case.
    :raises ConfigError: ``on_failure`` is something else.
    """

    template_fields: Sequence[str] = ("config_path", "table_patterns")

    def __init__(
        self,
        *,
        config_path: str,
        table_patterns: list[dict[str, str]] | None = None,
        emit_xcom: bool = True,
        on_failure: str = FAIL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_failure not in (FAIL, CONTINUE):
            raise ConfigError(
                f"task {self.task_id}: on_failure {on_failure!r} is not allowed; use {FAIL!r} or {CONTINUE!r}"
            )
        self.config_path = config_path
        self.table_patterns = table_patterns
        self.emit_xcom = emit_xcom
        self.on_failure = on_failure

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Profile the tables.

        :raises ProfileError: at least one could not be profiled and ``on_failure`` is ``fail``; what the others gave is
            stored all the same.
        :raises UnknownTableError: a pattern names a table that the configuration does not list.
        """
        worker = worker_of(context)
        with self.open_workspace() as workspace:
            keys = [_ref_of(pattern).key for pattern in self.table_patterns or ()]
            reason = f"task {worker.dag_id}/{self.task_id}"
            refs = select_changes(workspace, keys, reason=reason)
            profiled, skipped, failed = split(profile_tables(workspace, refs, worker))
            for table in skipped:
                self.log.info("%s: skipped: %s", table.ref.display, table.why)
            summary = run_summary(workspace.identity.environment, context["run_id"], profiled, failed)
        if self.emit_xcom:
            context["ti"].xcom_push(key="profiling_results", value=summary)
        if failed:
            errors = "; ".join(f"{table.ref.display}: {table.error}" for table in failed)
            message = f"{len(failed)} of {len(refs)} tables could not be profiled: {errors}"
            if self.on_failure == FAIL:
                raise ProfileError(message)
            self.log.error("%s", message)
        return summary


def _ref_of(pattern: Mapping[str, str]) -> TableRef:
    return TableRef(pattern["table"], pattern.get("schema"), pattern.get("database"))
