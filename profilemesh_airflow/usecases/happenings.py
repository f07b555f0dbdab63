"""Which events follow from what was recorded, profiled or found. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.events import Happened
from profilemesh_airflow.core.ledger import CLOSED, LEASE_EXPIRED, PARKED, RETIRED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from profilemesh_airflow.core.diff import Diff, Reason
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.store import Steps
    from profilemesh_airflow.usecases.drift import DriftReport
    from profilemesh_airflow.usecases.outcome import Failed, Profiled, Skipped

#: An event names so many reasons or findings and counts the others, and shows so much of a text.
SHOWN = 20
SHOWN_TEXT = 500

#: The order in which the events of one refresh are told: where only some are kept, the rarer ones are.
_ORDER = ("plan_refreshed", "profiling_failed", "table_removed", "schema_changed", "change_detected")


def refreshed(diff: Diff, steps: Steps, to_ring: Sequence[LedgerEntry], requested: str | None = None) -> list[Happened]:
    """Of a refresh: the plan was looked at, and this is news in the ledger.

    :param steps: what the refresh wrote, with what was there before.
    :param requested: who asked for it, and why.
    """
    news = recorded(steps)
    data = {
        "tables": len(diff.changes) + len(diff.unchanged),
        "changed": len(diff.changes),
        "unchanged": len(diff.unchanged),
        "removed": len(diff.removed),
        "detected": sum(each.event_type == "change_detected" for each in news),
        "rung": len(to_ring),
        "requested": requested,
    }
    return [Happened("plan_refreshed", None, data), *news]


def recorded(steps: Steps) -> list[Happened]:
    """Of what was written into the ledger: only what is new there. A change that still waits is no news."""
    found = [happened for before, after in steps for happened in _news(before, after)]
    return sorted(found, key=lambda each: _ORDER.index(each.event_type))


def started(claim: LedgerEntry) -> list[Happened]:
    """Of a claim: the profile begins; and an earlier worker is taken to be dead where its lease ran out."""
    data = {"change_id": claim.change_id, "attempt": claim.attempts + 1, **_reasons(claim.reasons)}
    dead = claim.last_error_type == LEASE_EXPIRED and claim.last_error_at == claim.updated_at
    before = [_worker_lost(claim)] if dead else []
    return [*before, Happened("profiling_started", claim.key, data)]


def completed(profiled: Profiled, change: LedgerEntry) -> Happened:
    """Of a committed profile.

    :param change: as the commit left it.
    """
    data = {
        **profiled.as_dict(),
        "profiled_at": profiled.profiled_at,
        "change_id": change.change_id,
        "still_open": change.state != CLOSED,
        **_reasons(profiled.reasons),
    }
    return Happened("profiling_completed", profiled.ref.key, data)


def failed(outcome: Failed, change: LedgerEntry | None) -> Happened:
    """Of a profile that failed.

    :param change: as the failure left it; none where it could not be recorded.
    """
    return Happened("profiling_failed", outcome.ref.key, {**_error(outcome.error, outcome.error_type), **_kept(change)})


def skipped(outcome: Skipped) -> Happened:
    """Of a table that was not profiled."""
    return Happened("profiling_skipped", outcome.ref.key, {"why": outcome.why})


def drifted(report: DriftReport) -> Happened | None:
    """Of a comparison with earlier runs, or none where nothing drifted."""
    if not report.findings:
        return None
    return Happened("drift_detected", report.ref.key, report.as_dict(SHOWN))


def schema_changed(key: str, change_id: str, reasons: Iterable[Reason]) -> Happened | None:
    """Of reasons, those that are about columns; none where there are none.

    :param change_id: the change that is open because of them.
    """
    fields = [reason for reason in reasons if reason.kind == "schema"]
    if not fields:
        return None
    shown = [{"field": each.field, "before": each.before, "after": each.after} for each in fields[:SHOWN]]
    return Happened("schema_changed", key, {"change_id": change_id, "fields": shown, **_more(fields, "fields")})


def _news(before: LedgerEntry | None, after: LedgerEntry) -> Iterator[Happened]:
    if before is not None and after.last_error_type == LEASE_EXPIRED and after.last_error_at != before.last_error_at:
        yield _worker_lost(after)
    if after.outcome == RETIRED:
        yield Happened("table_removed", after.key, {"change_id": after.change_id})
    elif after.state != CLOSED and (before is None or after.target_revision > before.target_revision):
        columns = schema_changed(after.key, after.change_id, after.reasons)
        if columns is not None and (before is None or before.target.schema != after.target.schema):
            yield columns
        moved = before is not None
        data = {"change_id": after.change_id, "again": moved, **_reasons(after.reasons)}
        yield Happened("change_detected", after.key, data)


def _worker_lost(change: LedgerEntry) -> Happened:
    data = {**_error(change.last_error or "", LEASE_EXPIRED), **_kept(change)}
    return Happened("profiling_failed", change.key, data)


def _error(error: str, kind: str | None) -> dict[str, Any]:
    return {"error": _short(error), "error_type": kind}


def _kept(change: LedgerEntry | None) -> dict[str, Any]:
    if change is None:
        return {}
    return {"change_id": change.change_id, "attempts": change.attempts, "parked": change.state == PARKED}


def _reasons(reasons: Sequence[Reason]) -> dict[str, Any]:
    shown = [{name: _short(value) for name, value in each.as_dict().items()} for each in reasons[:SHOWN]]
    return {"reasons": shown, **_more(reasons, "reasons")}


def _more(items: Sequence[Any], name: str) -> dict[str, int]:
    return {f"more_{name}": len(items) - SHOWN} if len(items) > SHOWN else {}


def _short(value: Any) -> Any:
    return f"{value[:SHOWN_TEXT]}..." if isinstance(value, str) and len(value) > SHOWN_TEXT else value
