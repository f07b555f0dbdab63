"""Profiling as a task: one table, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.compat.assets import is_outlet, set_event_extra
from profilemesh_airflow.exceptions import ConfigError, ProfileError
from profilemesh_airflow.operators.base import (
    ProfileMeshOperator,
    ProfileMeshSingleTableOperator,
    check_patterns,
    worker_of,
)
from profilemesh_airflow.operators.links import RESULTS_LINK, push_results_url
from profilemesh_airflow.operators.notes import note_run
from profilemesh_airflow.operators.summary import profile_note, profile_summary, run_summary
from profilemesh_airflow.operators.upstream import heard_of, though_heard, wait_until
from profilemesh_airflow.triggers.quiet import ProfileMeshQuietTrigger
from profilemesh_airflow.usecases.outcome import Failed, Outcome, Profiled, Skipped, split
from profilemesh_airflow.usecases.plan_document import table_document
from profilemesh_airflow.usecases.planning import matching_tables
from profilemesh_airflow.usecases.profile import profile_change, profile_tables, select_changes, select_open
from profilemesh_airflow.usecases.upstream import look_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.events import Callbacks
    from profilemesh_airflow.usecases.workspace import Workspace


#: What a table that fails does to a task of several.
FAIL, CONTINUE = "fail", "continue"

#: So many tables are named when a task fails; the others are in its summary.
NAMED_FAILURES = 10


class ProfileMeshTableOperator(ProfileMeshSingleTableOperator):
    """Profiles one table, and commits metrics, baseline and ledger in one transaction.

    The summary of the profile is returned, and pushed as ``profiling_result``. What the configuration says of the
    table (partition, sample, metrics) holds. It can be mapped: ``.partial(...).expand(table=[...])``, over keys.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param table: the table's name, or its whole key, ``sales.orders`` (templated).
    :param schema: its schema, if the configuration gives one (templated).
    :param database: its database, if the configuration gives one (templated).
    :param changed_only: profile the table only if the ledger holds an open change for it, and skip the task otherwise.
        This is what a per-table DAG does when its doorbell rings. Without it, the table is profiled in any case.
    :param listen_to_upstream: with ``changed_only``, whether the task looks at the table itself where an event of
        another asset than the table's ``change`` asset started the run: that of a load job, say. It then waits in the
        triggerer until the rows were quiet for ``airflow.upstream_debounce``, an hour at most, and profiles the table
        if they are not those of its last profile.
    :param force: profile it in any case, even if it is parked since it failed too often. So does a run that is started
        with the configuration ``{"force": true}``.
    :param pre_profiling: called with the event before the table is profiled: a function, or where it is
        (``module:function``), or several.
    :param post_profiling: the same, when the table was profiled, or has failed. One that fails is told, and fails
        nothing else.
    """

    operator_extra_links = (RESULTS_LINK,)

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        table: str,
        schema: str = "",
        database: str = "",
        changed_only: bool = False,
        listen_to_upstream: bool = False,
        force: bool = False,
        pre_profiling: Callbacks = None,
        post_profiling: Callbacks = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pre_profiling, self.post_profiling = pre_profiling, post_profiling
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.listen_to_upstream = listen_to_upstream
        self.table = table
        self.schema = schema
        self.database = database
        self.changed_only = changed_only
        self.force = force

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Claim, profile, commit.

        :raises ProfileError: the table could not be profiled; the change stays open, with the error.
        """
        heard = self._heard(context)
        if heard:
            self._wait_until_quiet(heard)
        return self._profile(context, heard)

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
        """The same, once the rows are quiet."""
        return self._profile(context, self._heard(context), known=event["known"])

    def _heard(self, context: Mapping[str, Any]) -> str:
        return heard_of(context) if self.listen_to_upstream and self.changed_only else ""

    def _wait_until_quiet(self, heard: str) -> None:
        with self.hook.open_workspace() as workspace:
            ref = self.find_ref(workspace)
            debounce = workspace.care[ref].upstream.debounce.total_seconds()
        self.log.info("a load was reported by %s; waiting until it is quiet for %.0f s", heard, debounce)
        trigger = ProfileMeshQuietTrigger(
            self.config_path, self.profilemesh_conn_id, ref.key, debounce, wait_until(debounce)
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _profile(self, context: Mapping[str, Any], heard: str, *, known: bool = True) -> dict[str, Any]:
        worker = worker_of(context)
        force = self.force or _forced_by_run(context)
        with self.open_workspace(context) as workspace:
            ref = self.find_ref(workspace)
            push_results_url(context, workspace, ref)
            if force or not self.changed_only:
                select_changes(workspace, [ref.key], force=force, reason=f"task {worker.dag_id}/{self.task_id}")
            elif heard:
                look_at(workspace, ref, heard)
            outcome = profile_change(workspace, ref, worker)
            if isinstance(outcome, Skipped):
                raise AirflowSkipException(outcome.why + though_heard(heard, known=known))
            if isinstance(outcome, Failed):
                raise ProfileError(f"{ref.display}: {outcome.error}")
            return self._publish(context, workspace, outcome)

    def _publish(self, context: Mapping[str, Any], workspace: Workspace, outcome: Profiled) -> dict[str, Any]:
        summary = profile_summary(outcome)
        asset = table_asset(workspace.identity, "profile", outcome.ref)
        if is_outlet(asset, self.outlets):
            plan = table_document(workspace.settings[outcome.ref])
            set_event_extra(context, asset, {**outcome.as_dict(), "plan": plan})
        context["ti"].xcom_push(key="profiling_result", value=summary)
        note_run(context, self.hook, profile_note(outcome, workspace.settings[outcome.ref]))
        return summary


class ProfileMeshProfilingOperator(ProfileMeshOperator):
    """Profiles several tables, one after the other. One that fails does not stop the others.

    The summary is returned, and pushed as ``profiling_results``: the profiles, and the tables that failed with their
    errors, up to 100 of each; the results store has all. The change of a table that failed stays open in the ledger,
    and the next refresh, or sensor, tells of it again.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param table_patterns: the tables, each a name, or a mapping of ``table`` and, where that is not enough, ``schema``
        and ``database``; each may have the wildcards ``*``, ``?`` and ``[abc]``. None means every table of the
        configuration (templated).
    :param emit_xcom: whether to push ``profiling_results`` and ``profilemesh_events``.
    :param changed_only: profile just what changed: look at the tables, record in the ledger what changed, and profile
        every open change. Where there is none, the task is skipped. Without it, each of the tables is profiled.
    :param force: profile each of the tables, even those that are parked since they failed too often. So does a run that
        is started with the configuration ``{"force": true}``.
    :param on_failure: ``fail`` fails the task in the end, when a table has failed; ``continue`` lets it succeed. What
        concerns not one table but all (the store cannot be reached, say) fails the task in either case.
    :param pre_profiling: called with an event before each table is profiled, as for :class:`ProfileMeshTableOperator`.
    :param post_profiling: the same, when each was profiled, or has failed.
    :raises ConfigError: ``on_failure`` is something else, or a pattern has another key.
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "table_patterns")

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        table_patterns: Sequence[Mapping[str, str] | str] | None = None,
        emit_xcom: bool = True,
        changed_only: bool = False,
        force: bool = False,
        on_failure: str = FAIL,
        pre_profiling: Callbacks = None,
        post_profiling: Callbacks = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pre_profiling, self.post_profiling = pre_profiling, post_profiling
        if on_failure not in (FAIL, CONTINUE):
            raise ConfigError(
                f"task {self.task_id}: on_failure {on_failure!r} is not allowed; use {FAIL!r} or {CONTINUE!r}"
            )
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        check_patterns(self.task_id, table_patterns)
        self.table_patterns = table_patterns
        self.emit_xcom = emit_xcom
        self.changed_only = changed_only
        self.force = force
        self.on_failure = on_failure

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Profile the tables.

        :raises ProfileError: at least one could not be profiled and ``on_failure`` is ``fail``; what the others gave is
            stored all the same.
        :raises UnknownTableError: a pattern means no table of the configuration.
        :raises ConfigError: the configuration means no table at all.
        """
        worker = worker_of(context)
        with self.open_workspace(context) as workspace:
            refs = self._select(context, workspace)
            outcomes = profile_tables(workspace, refs, worker)
            summary = run_summary(workspace.identity.environment, context["run_id"], outcomes)
        self._report(outcomes)
        if self.emit_xcom:
            context["ti"].xcom_push(key="profiling_results", value=summary)
        self._check(outcomes)
        return summary

    def _select(self, context: Mapping[str, Any], workspace: Workspace) -> list[TableRef]:
        patterns = self.table_patterns
        keys = None if patterns is None else [ref.key for ref in matching_tables(workspace, patterns)]
        if keys == []:
            raise AirflowSkipException("table_patterns is an empty list: no table is meant")
        force = self.force or _forced_by_run(context)
        if self.changed_only and not force:
            refs = select_open(workspace, keys or ())
            if not refs:
                raise AirflowSkipException("nothing is to be profiled; `profilemesh-airflow status` has every table")
            return refs
        reason = f"task {context['ti'].dag_id}/{self.task_id}"
        refs = select_changes(workspace, keys or (), force=force, reason=reason)
        if not refs:
            raise ConfigError(
                f"no profiling results: profiling.tables of {workspace.config.path} means no table; "
                "`profilemesh-airflow plan` says why"
            )
        return refs

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        for table in outcomes:
            if isinstance(table, Skipped):
                self.log.info("%s: skipped: %s", table.ref.display, table.why)

    def _check(self, outcomes: list[Outcome]) -> None:
        profiled, skipped, failed = split(outcomes)
        if failed:
            message = _failures(failed, len(outcomes))
            if self.on_failure == FAIL:
                raise ProfileError(message)
            self.log.error("%s", message)
        elif not profiled:
            why = "; ".join(f"{table.ref.display}: {table.why}" for table in skipped[:NAMED_FAILURES])
            raise AirflowSkipException(f"no table was profiled: {why}")


def _failures(failed: Sequence[Failed], looked_at: int) -> str:
    errors = "; ".join(f"{table.ref.display}: {table.error}" for table in failed[:NAMED_FAILURES])
    more = len(failed) - NAMED_FAILURES
    rest = f"; and {more} more, which `profilemesh-airflow status` has" if more > 0 else ""
    return f"{len(failed)} of {looked_at} tables could not be profiled: {errors}{rest}"


def _forced_by_run(context: Mapping[str, Any]) -> bool:
    return bool((context["dag_run"].conf or {}).get("force"))
