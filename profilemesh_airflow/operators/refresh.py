"""Refresh as tasks: detect and record, ring, and the lineage that is only declared."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import changes_alias, table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException, BaseOperator
from profilemesh_airflow.compat.assets import add_event
from profilemesh_airflow.compat.skipping import skip_tasks
from profilemesh_airflow.operators.base import ProfileMeshOperator
from profilemesh_airflow.usecases.ask import DIFF_KEY
from profilemesh_airflow.usecases.edits import remember_refreshed
from profilemesh_airflow.usecases.lock import unlocked_tables
from profilemesh_airflow.usecases.plan_document import diff_document
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.refresh import deferred, mark_rung, record, waiting
from profilemesh_airflow.usecases.watch import News, summary_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from profilemesh_airflow.core.diff import Diff
    from profilemesh_airflow.core.ledger import LedgerEntry

#: Registering an event costs the success call of a task some 17 ms, and the call must end within 5 s.
EVENTS_PER_TASK = 100

#: An event's extra and the task log name so many reasons, changes or deferred changes, and count the others.
SHOWN_REASONS = 20
SHOWN_CHANGES = 200
SHOWN_DEFERRED = 20


#: Where the summary for the plan's own asset is in XCom; empty where there is nothing to tell.
SUMMARY_KEY = "plan_summary"


class ProfileMeshDetectOperator(ProfileMeshOperator):
    """Compares the plan with what was last profiled, and records every change in the ledger.

    Reads the run's params: ``tables`` (which to look at; empty for all), ``force`` (a change whether or not anything
    differs), ``reason`` (why, for the ledger) and ``dry_run`` (log the difference and write nothing).

    Where more doorbells are due than ``airflow.budget`` allows, the others are deferred to a later refresh.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param ring_tasks: where each table has a ring task of its own: its id, by table key. Those with nothing to ring for
        are skipped from here.
    :returns: the ids of the changes that are to be rung, in chunks of at most :data:`EVENTS_PER_TASK`.
    """

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        ring_tasks: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.ring_tasks = dict(ring_tasks or {})

    def execute(self, context: Mapping[str, Any]) -> list[list[str]]:
        """Detect, log the difference with its reasons, and record it."""
        entries = self._detect_and_record(context)
        keys = {entry.key for entry in entries}
        idle = [task_id for key, task_id in self.ring_tasks.items() if key not in keys]
        if idle:
            skip_tasks(context, idle)
        return list(_chunks([entry.change_id for entry in entries], EVENTS_PER_TASK))

    def _detect_and_record(self, context: Mapping[str, Any]) -> Sequence[LedgerEntry]:
        params = context["params"]
        with self.open_workspace(context) as workspace:
            detection = detect(
                workspace,
                params.get("tables") or (),
                force=bool(params.get("force")),
                reason=params.get("reason") or None,
                by=_asked_by(context),
            )
            unlocked = unlocked_tables(workspace.config, detection.plan.refs)
            self._report([*detection.plan.warnings, *([unlocked] if unlocked else [])], detection.diff)
            if params.get("dry_run"):
                self.log.info("dry run: nothing is recorded, nobody is rung")
                context["ti"].xcom_push(key=DIFF_KEY, value=_shown_document(detection.diff))
                context["ti"].xcom_push(key=SUMMARY_KEY, value={})
                return ()
            budget = workspace.policy.budget
            entries = record(workspace, detection, budget)
            if not params.get("tables"):
                remember_refreshed(workspace)
            self.log.info("ringing for %d table(s)", len(entries))
            news = News(detection, tuple(entries)) if entries or detection.diff.removed else None
            context["ti"].xcom_push(key=SUMMARY_KEY, value=summary_document(workspace, news) if news else {})
            if budget is not None:
                self._report_deferred(deferred(workspace, entries))
        return entries

    def _report(self, warnings: Iterable[str], diff: Diff) -> None:
        for warning in warnings:
            self.log.warning("%s", warning)
        self.log.info(
            "plan: %d changed, %d removed, %d unchanged", len(diff.changes), len(diff.removed), len(diff.unchanged)
        )
        for change in diff.changes[:SHOWN_CHANGES]:
            self.log.info("%s: %s", change.key, "; ".join(map(str, change.reasons)))
        if len(diff.changes) > SHOWN_CHANGES:
            self.log.info("and %d more; `profilemesh-airflow status` has them all", len(diff.changes) - SHOWN_CHANGES)
        for ref in diff.removed:
            self.log.info("%s: removed from the plan", ref.key)

    def _report_deferred(self, entries: Sequence[LedgerEntry]) -> None:
        if not entries:
            return
        self.log.info("airflow.budget is spent: %d table(s) wait for the next refresh, in this order", len(entries))
        for place, entry in enumerate(entries[:SHOWN_DEFERRED], start=1):
            self.log.info("%d. %s, deferred %d time(s)", place, entry.key, entry.deferrals)
        if len(entries) > SHOWN_DEFERRED:
            self.log.info("and %d more; `profilemesh-airflow status` has them all", len(entries) - SHOWN_DEFERRED)


class ProfileMeshRingOperator(ProfileMeshOperator):
    """Publishes one asset event for each change that still waits for a worker.

    An event is only a doorbell: the worker reads the ledger. So it does no harm to ring twice, or not to be heard.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param change_ids: changes in the ledger (templated; usually mapped over chunks).
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "change_ids")

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        change_ids: list[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.change_ids = change_ids

    def execute(self, context: Mapping[str, Any]) -> None:
        """Add the events; Airflow publishes them together with the task's success."""
        with self.open_workspace(context) as workspace:
            entries = waiting(workspace, self.change_ids)
            alias = changes_alias(workspace.identity)
            for entry in entries:
                self.log.info("ringing for %s: %s", entry.key, "; ".join(map(str, entry.reasons)))
                add_event(context, alias, table_asset(workspace.identity, "change", entry.ref), _event_extra(entry))
            mark_rung(workspace, entries)


class ProfileMeshLineageOperator(BaseOperator):
    """Declares outlets and emits nothing: the asset graph shows plan, tables and profiling DAGs before any event."""

    def execute(self, context: Mapping[str, Any]) -> None:
        """Skip, always: a skipped task publishes no event."""
        raise AirflowSkipException("only declares which assets a refresh may publish")


def _asked_by(context: Mapping[str, Any]) -> str | None:
    """Who started the run by hand; none where nobody did.

    Airflow knows since 3.1. Before, the command line says it, and of others it is only known that there was somebody.
    """
    run = context.get("dag_run")
    by = getattr(run, "triggering_user_name", None) or (getattr(run, "conf", None) or {}).get("requested_by")
    by_hand = getattr(run, "run_type", None) in ("manual", "asset_materialization")
    return str(by) if by else "hand" if by_hand else None


def _event_extra(entry: LedgerEntry) -> dict[str, Any]:
    reasons = [reason.as_dict() for reason in entry.reasons[:SHOWN_REASONS]]
    more = len(entry.reasons) - len(reasons)
    extra = {"table_key": entry.key, "change_id": entry.change_id, "reasons": reasons}
    return {**extra, "more_reasons": more} if more else extra


def _shown_document(diff: Diff) -> dict[str, Any]:
    document = diff_document(diff)
    more = len(document["changes"]) - SHOWN_CHANGES
    return {**document, "changes": document["changes"][:SHOWN_CHANGES], "more_changes": more} if more > 0 else document


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
