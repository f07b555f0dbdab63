"""Refresh as tasks: detect and record, ring, and the lineage that is only declared."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import changes_alias, table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException, BaseOperator
from profilemesh_airflow.operators.base import ProfileMeshOperator
from profilemesh_airflow.usecases.plan_document import diff_document
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.refresh import deferred, mark_rung, record, waiting

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


class ProfileMeshDetectOperator(ProfileMeshOperator):
    """Compares the plan with what was last profiled, and records every change in the ledger.

    Reads the run's params: ``tables`` (which to look at; empty for all), ``force`` (a change whether or not anything
    differs), ``reason`` (why, for the ledger) and ``dry_run`` (log the difference and write nothing).

    Where more doorbells are due than ``airflow.budget`` allows, the others are deferred to a later refresh.

    :param config_path: path of the ProfileMesh configuration (templated).
    :returns: the ids of the changes that are to be rung, in chunks of at most :data:`EVENTS_PER_TASK`.
    """

    def __init__(self, *, config_path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path

    def execute(self, context: Mapping[str, Any]) -> list[list[str]]:
        """Detect, log the difference with its reasons, and record it."""
        params = context["params"]
        with self.open_workspace() as workspace:
            detection = detect(
                workspace,
                params.get("tables") or (),
                force=bool(params.get("force")),
                reason=params.get("reason") or None,
            )
            self._report(detection.plan.warnings, detection.diff)
            if params.get("dry_run"):
                self.log.info("dry run: nothing is recorded, nobody is rung")
                context["ti"].xcom_push(key="plan_diff", value=_shown_document(detection.diff))
                return []
            budget = workspace.policy.budget
            entries = record(workspace, detection, budget)
            self.log.info("ringing for %d table(s)", len(entries))
            if budget is not None:
                self._report_deferred(deferred(workspace, entries))
        return list(_chunks([entry.change_id for entry in entries], EVENTS_PER_TASK))

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

    :param config_path: path of the ProfileMesh configuration (templated).
    :param change_ids: changes in the ledger (templated; usually mapped over chunks).
    """

    template_fields: Sequence[str] = ("config_path", "change_ids")

    def __init__(self, *, config_path: str, change_ids: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.change_ids = change_ids

    def execute(self, context: Mapping[str, Any]) -> None:
        """Add the events; Airflow publishes them together with the task's success."""
        with self.open_workspace() as workspace:
            entries = waiting(workspace, self.change_ids)
            events = context["outlet_events"][changes_alias(workspace.identity)]
            for entry in entries:
                self.log.info("ringing for %s: %s", entry.key, "; ".join(map(str, entry.reasons)))
                events.add(table_asset(workspace.identity, "change", entry.ref), extra=_event_extra(entry))
            mark_rung(workspace, entries)


class ProfileMeshLineageOperator(BaseOperator):
    """Declares outlets and emits nothing: the asset graph shows plan, tables and profiling DAGs before any event."""

    def execute(self, context: Mapping[str, Any]) -> None:
        """Skip, always: a skipped task publishes no event."""
        raise AirflowSkipException("only declares which assets a refresh may publish")


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
