"""Changes that nobody answers: overdue, parked, or held by a worker that is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.ledger import CLAIMED, PARKED
from profilemesh_airflow.core.wording import failures, holder, length_of, rung, times, to_the_minute
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
    from collections.abc import Iterator
    from datetime import datetime

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site


def overdue(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The changes that are open for longer than ``airflow.deadline``; parked ones are reported as such.

    The time counts from the later of detection and the last profile, since a table that changes all the time keeps its
    change open although it is profiled.
    """
    view, planned = site.ledger, set(site.refs)
    for key, entry in view.entries.items():
        baseline = view.baselines.get(key)
        since = max(entry.detected_at, baseline.profiled_at) if baseline else entry.detected_at
        if entry.state != PARKED and view.now - since > site.workspace.policy.deadline:
            what, remedy = _why_open(entry, view.now, entry.ref in planned)
            yield Finding(OVERDUE, ERROR, key, f"open for {length_of(view.now - since)}, {what}", remedy)


def parked(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The changes that failed too often."""
    for key, entry in site.ledger.entries.items():
        if entry.state == PARKED:
            remedy = f"mend the cause, then run `profilemesh-airflow replay {key}`"
            yield Finding(PARKED_CHANGES, ERROR, key, failures(entry), remedy)


def expired_leases(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The claims whose worker gives no sign of life."""
    view = site.ledger
    for key, entry in view.entries.items():
        if entry.expired(view.now):
            remedy = (
                "see whether that worker was killed, for lack of memory perhaps; the next refresh counts it as a "
                "failed attempt and has the table profiled again"
            )
            yield Finding(LEASES, WARNING, key, f"{holder(entry, view.now)}: it is taken to be dead", remedy)


def _why_open(entry: LedgerEntry, now: datetime, planned: bool) -> tuple[str, str]:
    often = rung(entry)
    again = to_the_minute(entry.next_ring_at)
    if not planned:
        return f"{often}, and the table left the configuration", "run a refresh, which retires the change"
    if entry.held(now):
        longer = "see what it does; a profile that takes so long needs a longer airflow.deadline"
        return f"{often}, {holder(entry, now)}", longer
    if entry.state == CLAIMED:
        return f"{often}, {holder(entry, now)}", "run a refresh, which takes the claim back"
    if entry.attempts:
        return f"{often}, {failures(entry)}", f"mend the cause; a refresh rings for it again from {again} on"
    if entry.rings:
        unheard = f"see whether its DAG is there and not paused, as the check `{CONSUMERS}` does"
        return f"{often}, nobody answers; a refresh rings again from {again} on", unheard
    if entry.deferrals:
        return f"{often}, deferred {times(entry.deferrals)}", "raise airflow.budget, or refresh more often"
    return often, f"see whether the refresh DAG is there and not paused, as the check `{REFRESH}` does, and rings"
