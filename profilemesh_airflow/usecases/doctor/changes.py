"""Changes that nobody answers: overdue, parked, or held by a worker that is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.ledger import CLAIMED, PARKED
from profilemesh_airflow.usecases.doctor.findings import (
    CONSUMERS,
    ERROR,
    LEASES,
    OVERDUE,
    PARKED as PARKED_CHANGES,
    REFRESH,
    WARNING,
    Finding,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime, timedelta

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView


def overdue(view: LedgerView, planned: Collection[TableRef], policy: Policy) -> Iterator[Finding]:
    """The changes that are open for longer than ``airflow.deadline``; parked ones are reported as such.

    The time counts from the later of detection and the last profile, since a table that changes all the time keeps its
    change open although it is profiled.
    """
    for key, entry in view.entries.items():
        baseline = view.baselines.get(key)
        since = max(entry.detected_at, baseline.profiled_at) if baseline else entry.detected_at
        if entry.state != PARKED and view.now - since > policy.deadline:
            what, remedy = _why_open(entry, view.now, entry.ref in planned)
            yield Finding(OVERDUE, ERROR, key, f"open for {_length(view.now - since)}, {what}", remedy)


def parked(view: LedgerView) -> Iterator[Finding]:
    """The changes that failed too often."""
    for key, entry in view.entries.items():
        if entry.state == PARKED:
            remedy = f"mend the cause, then run `profilemesh-airflow replay {key}`"
            yield Finding(PARKED_CHANGES, ERROR, key, _failures(entry), remedy)


def expired_leases(view: LedgerView) -> Iterator[Finding]:
    """The claims whose worker gives no sign of life."""
    for key, entry in view.entries.items():
        if entry.expired(view.now):
            remedy = (
                "see whether that worker was killed, for lack of memory perhaps; the next refresh counts it as a "
                "failed attempt and has the table profiled again"
            )
            yield Finding(LEASES, WARNING, key, f"{_holder(entry, view.now)}: it is taken to be dead", remedy)


def _why_open(entry: LedgerEntry, now: datetime, planned: bool) -> tuple[str, str]:
    rung = f"rung {_times(entry.rings)}" if entry.rings else "never rung"
    again = _moment(entry.next_ring_at)
    if not planned:
        return f"{rung}, and the table left the configuration", "run a refresh, which retires the change"
    if entry.held(now):
        longer = "see what it does; a profile that takes so long needs a longer airflow.deadline"
        return f"{rung}, {_holder(entry, now)}", longer
    if entry.state == CLAIMED:
        return f"{rung}, {_holder(entry, now)}", "run a refresh, which takes the claim back"
    if entry.attempts:
        return f"{rung}, {_failures(entry)}", f"mend the cause; a refresh rings for it again from {again} on"
    if entry.rings:
        unheard = f"see whether its DAG is there and not paused, as the check `{CONSUMERS}` does"
        return f"{rung}, nobody answers; a refresh rings again from {again} on", unheard
    if entry.deferrals:
        return f"{rung}, deferred {_times(entry.deferrals)}", "raise airflow.budget, or refresh more often"
    return rung, f"see whether the refresh DAG is there and not paused, as the check `{REFRESH}` does, and rings"


def _failures(entry: LedgerEntry) -> str:
    when = f" at {_moment(entry.last_error_at)}" if entry.last_error_at else ""
    kind = f"{entry.last_error_type}: " if entry.last_error_type else ""
    return f"failed {_times(entry.attempts)}, the last time{when}: {kind}{entry.last_error or 'unknown'}"


def _holder(entry: LedgerEntry, now: datetime) -> str:
    end = _moment(entry.lease_until) if entry.lease_until else "an unknown time"
    if entry.held(now):
        return f"claimed by {entry.claimed_by} until {end}"
    if entry.lease_until and entry.lease_until > now:
        return f"claimed by {entry.claimed_by} until {end}, and the store's clock was set back since"
    return f"claimed by {entry.claimed_by}, whose lease ran out at {end}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _length(length: timedelta) -> str:
    hours, seconds = divmod(int(length.total_seconds()), 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {seconds // 60} min"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
