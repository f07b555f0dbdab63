"""The life of a change: every state and every step between them, as pure functions.

::

    (none) --Detected--> open --Claimed--> claimed --Committed--> closed (profiled)
                          ^ |                 |  |
                          | +--Returned--> closed (withdrawn)
                          | +--Removed---> closed (retired)   also from claimed and parked
                          +------- Failed ----+  +--Failed, too often--> parked
                          +------- Committed, but the target moved meanwhile
    parked --Detected with a new target, or forced--> open

The store persists what these functions return, each step guarded by the row's revision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.diff import Change, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from profilemesh_airflow.core.fingerprint import Fingerprint
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef

OPEN, CLAIMED, PARKED, CLOSED = "open", "claimed", "parked", "closed"
PROFILED, WITHDRAWN, RETIRED = "profiled", "withdrawn", "retired"


@dataclass(frozen=True)
class LedgerEntry:
    """One change in the ledger.

    :param target: the fingerprint to reach.
    :param target_revision: counts how often the target moved, or somebody forced it, since the change was opened.
    :param claimed_revision: ``target_revision`` when the present claim was made.
    :param forced_revision: ``target_revision`` of the latest force, 0 without one.
    :param token: counts the claims; a worker may commit only under the token it was given.
    :param rings: doorbells sent since the target last moved.
    :param attempts: failed profiles since the target last moved.
    :param outcome: how it was closed: ``profiled``, ``withdrawn`` or ``retired``.
    """

    change_id: str
    ref: TableRef
    state: str
    reasons: tuple[Reason, ...]
    target: Fingerprint
    detected_at: datetime
    updated_at: datetime
    next_ring_at: datetime
    target_revision: int = 1
    claimed_revision: int = 0
    forced_revision: int = 0
    token: int = 0
    rings: int = 0
    attempts: int = 0
    claimed_by: str | None = None
    lease_until: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    outcome: str | None = None
    closed_at: datetime | None = None
    run_id: str | None = None

    @property
    def key(self) -> str:
        """The table's key."""
        return self.ref.key

    def held(self, now: datetime) -> bool:
        """Whether a worker holds a claim whose lease has not run out."""
        return self.state == CLAIMED and self.lease_until is not None and self.lease_until > now

    def waiting(self, now: datetime) -> bool:
        """Whether a worker may take it: open, or claimed under a lease that has run out."""
        return self.state == OPEN or (self.state == CLAIMED and not self.held(now))

    def to_ring(self, now: datetime) -> bool:
        """Whether a doorbell is due: nobody is at it, and the wait since the last one is over."""
        return self.waiting(now) and self.next_ring_at <= now


@dataclass(frozen=True)
class Detected:
    """A refresh found the table changed."""

    change: Change


@dataclass(frozen=True)
class Returned:
    """A refresh found the table equal to its baseline again."""


@dataclass(frozen=True)
class Removed:
    """The table left the plan."""


@dataclass(frozen=True)
class Rung:
    """A doorbell was sent."""


@dataclass(frozen=True)
class Claimed:
    """A worker takes the change."""

    worker: str


@dataclass(frozen=True)
class Failed:
    """The profile of the worker that holds the claim failed."""

    error: str


@dataclass(frozen=True)
class Committed:
    """The worker that holds the claim profiled the table, and found it at ``fingerprint``."""

    fingerprint: Fingerprint
    run_id: str


Step = Detected | Returned | Removed | Rung | Claimed | Failed | Committed


def opened(change_id: str, change: Change, now: datetime) -> LedgerEntry:
    """A change that was not in the ledger before."""
    return LedgerEntry(
        change_id=change_id,
        ref=change.ref,
        state=OPEN,
        reasons=change.reasons,
        target=change.target,
        detected_at=now,
        updated_at=now,
        next_ring_at=now,
        forced_revision=1 if change.forced else 0,
    )


def advance(entry: LedgerEntry, step: Step, now: datetime, policy: Policy) -> LedgerEntry:
    """The entry after ``step``; the entry itself where the step changes nothing.

    :raises ValueError: the step cannot happen in the entry's state (a commit without a claim, say).
    """
    if entry.state == CLOSED:
        raise ValueError(f"change {entry.change_id} is closed; it cannot be {type(step).__name__.lower()}")
    after = _STEPS[type(step)](entry, step, now, policy)
    return entry if after is entry else replace(after, updated_at=now)


def _detected(entry: LedgerEntry, step: Detected, now: datetime, _: Policy) -> LedgerEntry:
    change = step.change
    if change.target == entry.target and not change.forced:
        # The baseline may have moved all the same, and then the reasons count from the new one.
        reasons = _keep_force(entry.reasons, change.reasons)
        return entry if reasons == entry.reasons else replace(entry, reasons=reasons)
    revision = entry.target_revision + 1
    after = replace(
        entry,
        target=change.target,
        target_revision=revision,
        forced_revision=revision if change.forced else entry.forced_revision,
        reasons=change.reasons if change.forced else _keep_force(entry.reasons, change.reasons),
        rings=0,
        attempts=0,
        next_ring_at=now,
    )
    return replace(after, state=OPEN) if entry.state == PARKED else after


def _keep_force(before: tuple[Reason, ...], after: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return after + tuple(reason for reason in before if reason.kind == "forced")


def _without_force(entry: LedgerEntry) -> LedgerEntry:
    reasons = tuple(reason for reason in entry.reasons if reason.kind != "forced")
    return replace(entry, forced_revision=0, reasons=reasons)


def _returned(entry: LedgerEntry, _: Returned, now: datetime, __: Policy) -> LedgerEntry:
    if entry.forced_revision or entry.held(now):
        return entry
    return _closed(entry, WITHDRAWN, now)


def _removed(entry: LedgerEntry, _: Removed, now: datetime, __: Policy) -> LedgerEntry:
    reasons = (*entry.reasons, Reason("removed", "table", entry.key, None))
    return replace(_closed(entry, RETIRED, now), reasons=reasons)


def _rung(entry: LedgerEntry, _: Rung, now: datetime, policy: Policy) -> LedgerEntry:
    rings = entry.rings + 1
    return replace(entry, rings=rings, next_ring_at=now + policy.wait(rings))


def _claimed(entry: LedgerEntry, step: Claimed, now: datetime, policy: Policy) -> LedgerEntry:
    if not entry.waiting(now):
        raise ValueError(f"change {entry.change_id} is {entry.state} and cannot be claimed")
    return replace(
        entry,
        state=CLAIMED,
        token=entry.token + 1,
        claimed_by=step.worker,
        claimed_revision=entry.target_revision,
        lease_until=now + policy.lease,
    )


def _failed(entry: LedgerEntry, step: Failed, now: datetime, policy: Policy) -> LedgerEntry:
    _must_be_claimed(entry, step)
    released = replace(_released(entry), last_error=step.error, last_error_at=now)
    if entry.target_revision != entry.claimed_revision:
        return released
    attempts = entry.attempts + 1
    return replace(
        released,
        attempts=attempts,
        state=PARKED if attempts >= policy.max_attempts else OPEN,
        next_ring_at=now + policy.wait(attempts),
    )


def _committed(entry: LedgerEntry, step: Committed, now: datetime, _: Policy) -> LedgerEntry:
    _must_be_claimed(entry, step)
    unmoved = entry.target_revision == entry.claimed_revision
    forced_since = entry.forced_revision > entry.claimed_revision
    if unmoved or (step.fingerprint == entry.target and not forced_since):
        return replace(_closed(entry, PROFILED, now), run_id=step.run_id)
    after = replace(_released(entry), next_ring_at=now)
    return after if forced_since else _without_force(after)


def _must_be_claimed(entry: LedgerEntry, step: Any) -> None:
    if entry.state != CLAIMED:
        raise ValueError(f"change {entry.change_id} is {entry.state}, not claimed; {type(step).__name__} cannot happen")


def _released(entry: LedgerEntry) -> LedgerEntry:
    return replace(entry, state=OPEN, claimed_by=None, lease_until=None)


def _closed(entry: LedgerEntry, outcome: str, now: datetime) -> LedgerEntry:
    return replace(_released(entry), state=CLOSED, outcome=outcome, closed_at=now)


_STEPS: dict[type, Callable[[LedgerEntry, Any, datetime, Policy], LedgerEntry]] = {
    Detected: _detected,
    Returned: _returned,
    Removed: _removed,
    Rung: _rung,
    Claimed: _claimed,
    Failed: _failed,
    Committed: _committed,
}
