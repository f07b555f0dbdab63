"""The life of a change: every state and every step between them, as pure functions.

::

    (none) --Detected--> open --Claimed--> claimed --Committed--> closed (profiled)
                          ^ |               ^  |  |
                          | |               +--+ Renewed, again and again while the profile runs
                          | +--Returned--> closed (withdrawn)  also from parked
                          | +--Removed---> closed (retired)    also from claimed and parked
                          +-- Failed, or Expired (the lease ran out) --+
                          +-- Committed, but since the claim the table was seen elsewhere than the worker found it
    claimed --Failed or Expired, too often--> parked --Detected with a new target, or forced--> open

Detected, Rung and Deferred (the budget of a refresh was spent) leave the state otherwise as it is. The latest claim may
still commit after its lease ran out, as long as nobody else has taken the change and nothing has closed it.

The store persists what these functions return, each step guarded by the row's revision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.diff import ASKED, Change, Reason
from profilemesh_airflow.core.policy import was_set_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from profilemesh_airflow.core.fingerprint import Fingerprint
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef

OPEN, CLAIMED, PARKED, CLOSED = "open", "claimed", "parked", "closed"
PROFILED, WITHDRAWN, RETIRED = "profiled", "withdrawn", "retired"

#: The priority that a forced change has at least: above every one that a configuration can give.
FORCED_PRIORITY = 11

#: ``last_error_type`` of a change whose worker vanished.
LEASE_EXPIRED = "LeaseExpired"


@dataclass(frozen=True)
class LedgerEntry:
    """One change in the ledger.

    :param target: the fingerprint to reach.
    :param target_revision: counts how often the target moved, or somebody forced it, since the change was opened.
    :param claimed_revision: ``target_revision`` when the present claim was made.
    :param forced_revision: ``target_revision`` of the latest force, 0 without one.
    :param token: counts the claims; a worker may commit only under the token it was given.
    :param confirmed_token: ``token`` when a refresh last saw the table, or somebody forced it.
    :param rings: doorbells sent since the target last moved.
    :param rung_at: when the latest of all doorbells was sent.
    :param attempts: failed profiles, and leases that ran out, since the target last moved.
    :param priority: from the configuration; a greater one is rung first where there is a budget.
    :param estimated_bytes: the table's size by the catalog, or none.
    :param deferrals: refreshes that had no budget left for the change since it was last rung or claimed.
    :param claimed_at: when the latest claim was made, by whomever; ``claimed_by`` has who holds it now.
    :param last_error_type: class of the latest error.
    :param postponed: why the latest worker that took it put it off, though nothing had failed.
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
    confirmed_token: int = 0
    rings: int = 0
    attempts: int = 0
    priority: int = 0
    estimated_bytes: int | None = None
    deferrals: int = 0
    rung_at: datetime | None = None
    claimed_at: datetime | None = None
    claimed_by: str | None = None
    lease_until: datetime | None = None
    last_error: str | None = None
    last_error_type: str | None = None
    last_error_at: datetime | None = None
    postponed: str | None = None
    outcome: str | None = None
    closed_at: datetime | None = None
    run_id: str | None = None

    @property
    def key(self) -> str:
        """The table's key."""
        return self.ref.key

    @property
    def urgency(self) -> int:
        """What a budget is spent by, the greatest first: the priority, which grows with every deferral."""
        return (FORCED_PRIORITY if self.forced_revision else self.priority) + self.deferrals

    def held(self, now: datetime) -> bool:
        """Whether a worker holds a claim whose lease has not run out."""
        return self.state == CLAIMED and not self.expired(now)

    def expired(self, now: datetime) -> bool:
        """Whether it is claimed under a lease that has run out, or that cannot be trusted as the clock was set back."""
        return self.state == CLAIMED and (self.lease_until is None or self.lease_until <= now or self._adrift(now))

    def waiting(self, now: datetime) -> bool:
        """Whether a worker may take it: open, or claimed under a lease that has run out."""
        return self.state == OPEN or self.expired(now)

    def to_ring(self, now: datetime) -> bool:
        """Whether a doorbell is due: nobody is at it, and the wait since the last one is over."""
        return self.waiting(now) and (self.next_ring_at <= now or self._adrift(now))

    def deferred(self, now: datetime) -> bool:
        """Whether its doorbell is due, and waits for a refresh with budget left."""
        return self.deferrals > 0 and self.to_ring(now)

    def _adrift(self, now: datetime) -> bool:
        return was_set_back(self.updated_at, now)


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
class Deferred:
    """A doorbell was due, and the refresh had no budget left."""


@dataclass(frozen=True)
class Claimed:
    """A worker takes the change."""

    worker: str


@dataclass(frozen=True)
class Renewed:
    """The worker that holds the claim is still at it."""


@dataclass(frozen=True)
class Expired:
    """The lease ran out: the worker is taken to be dead."""


@dataclass(frozen=True)
class Failed:
    """The profile of the worker that holds the claim failed."""

    error: str
    error_type: str | None = None


@dataclass(frozen=True)
class Postponed:
    """The worker that holds the claim may not profile the table now; nothing has failed."""

    why: str


@dataclass(frozen=True)
class Committed:
    """The worker that made the latest claim profiled the table, and found it at ``fingerprint``."""

    fingerprint: Fingerprint
    run_id: str


Step = Detected | Returned | Removed | Rung | Deferred | Claimed | Renewed | Expired | Failed | Postponed | Committed


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
        priority=change.priority,
        estimated_bytes=change.estimated_bytes,
    )


def advance(entry: LedgerEntry, step: Step, now: datetime, policy: Policy) -> LedgerEntry:
    """The entry after ``step``; the entry itself where the step changes nothing.

    :raises ValueError: the step cannot happen in the entry's state (a commit without a claim, say).
    """
    if entry.state == CLOSED:
        raise ValueError(f"change {entry.change_id} is closed; it cannot be {type(step).__name__.lower()}")
    trusted = _trusted(entry, now)
    after = _STEPS[type(step)](trusted, step, now, policy)
    return entry if after is trusted else replace(after, updated_at=now)


def _trusted(entry: LedgerEntry, now: datetime) -> LedgerEntry:
    """The entry without what was set before the clock was set back, which would last until the clock has caught up."""
    if not entry._adrift(now):
        return entry
    return replace(
        entry,
        next_ring_at=min(entry.next_ring_at, now),
        lease_until=None if entry.lease_until is None else min(entry.lease_until, now),
    )


def _detected(entry: LedgerEntry, step: Detected, now: datetime, _: Policy) -> LedgerEntry:
    change = step.change
    if change.target == entry.target and not change.forced:
        # The baseline may have moved all the same, and then the reasons count from the new one.
        after = replace(
            entry,
            reasons=_keep_asked(entry.reasons, change.reasons),
            priority=change.priority,
            estimated_bytes=change.estimated_bytes,
            confirmed_token=entry.token,
        )
        return entry if after == entry else after
    revision = entry.target_revision + 1
    after = replace(
        entry,
        target=change.target,
        target_revision=revision,
        confirmed_token=entry.token,
        forced_revision=revision if change.forced else entry.forced_revision,
        reasons=change.reasons if change.forced else _keep_asked(entry.reasons, change.reasons),
        priority=change.priority,
        estimated_bytes=change.estimated_bytes,
        rings=0,
        attempts=0,
        next_ring_at=now,
    )
    return replace(after, state=OPEN) if entry.state == PARKED else after


def _keep_asked(before: tuple[Reason, ...], after: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The new reasons, and who asked before, where nobody has asked in that way again."""
    again = {reason.kind for reason in after}
    return after + tuple(reason for reason in before if reason.kind in ASKED and reason.kind not in again)


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
    return replace(entry, rings=rings, rung_at=now, deferrals=0, next_ring_at=now + policy.wait(rings))


def _deferred(entry: LedgerEntry, _: Deferred, __: datetime, ___: Policy) -> LedgerEntry:
    return replace(entry, deferrals=entry.deferrals + 1)


def _claimed(entry: LedgerEntry, step: Claimed, now: datetime, policy: Policy) -> LedgerEntry:
    if entry.state != OPEN:
        raise ValueError(f"change {entry.change_id} is {entry.state} and cannot be claimed")
    return replace(
        entry,
        state=CLAIMED,
        token=entry.token + 1,
        claimed_at=now,
        claimed_by=step.worker,
        claimed_revision=entry.target_revision,
        lease_until=now + policy.lease,
        deferrals=0,
        postponed=None,
    )


def _renewed(entry: LedgerEntry, step: Renewed, now: datetime, policy: Policy) -> LedgerEntry:
    _must_be_claimed(entry, step)
    return replace(entry, lease_until=now + policy.lease)


def _expired(entry: LedgerEntry, _: Expired, now: datetime, policy: Policy) -> LedgerEntry:
    if not entry.expired(now):
        raise ValueError(f"change {entry.change_id} is {entry.state}, under a lease until {entry.lease_until}")
    error = f"no sign of life from {entry.claimed_by}: its lease ran out, as when a process is killed"
    # It was rung for long enough ago: its next doorbell is due as it was planned.
    return _given_up(entry, error, LEASE_EXPIRED, now, policy)


def _failed(entry: LedgerEntry, step: Failed, now: datetime, policy: Policy) -> LedgerEntry:
    _must_be_claimed(entry, step)
    after = _given_up(entry, step.error, step.error_type, now, policy)
    unmoved = after.attempts > entry.attempts
    return replace(after, next_ring_at=now + policy.wait(after.attempts)) if unmoved else after


def _postponed(entry: LedgerEntry, step: Postponed, now: datetime, policy: Policy) -> LedgerEntry:
    _must_be_claimed(entry, step)
    after = replace(_released(entry), postponed=step.why)
    # It was rung for: the wait for the next doorbell has begun, and grows with each one. Nobody rings a command line.
    return after if entry.rings else replace(after, next_ring_at=now + policy.wait(1))


def _given_up(entry: LedgerEntry, error: str, error_type: str | None, now: datetime, policy: Policy) -> LedgerEntry:
    after = replace(_released(entry), last_error=error, last_error_type=error_type, last_error_at=now)
    if entry.target_revision != entry.claimed_revision:
        return after
    attempts = entry.attempts + 1
    return replace(after, attempts=attempts, state=PARKED if attempts >= policy.max_attempts else OPEN)


def _committed(entry: LedgerEntry, step: Committed, now: datetime, _: Policy) -> LedgerEntry:
    if not entry.token:
        raise ValueError(f"change {entry.change_id} was never claimed; it cannot be committed")
    # The worker looked after its claim: what it found is newer than a target that no refresh has seen since.
    newer = entry.confirmed_token < entry.token
    forced_since = entry.forced_revision > entry.claimed_revision
    if newer or (step.fingerprint == entry.target and not forced_since):
        return replace(_closed(entry, PROFILED, now), run_id=step.run_id)
    after = replace(_released(entry), next_ring_at=now, attempts=0)
    return after if forced_since else _without_force(after)


def _must_be_claimed(entry: LedgerEntry, step: Step) -> None:
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
    Deferred: _deferred,
    Claimed: _claimed,
    Renewed: _renewed,
    Expired: _expired,
    Failed: _failed,
    Postponed: _postponed,
    Committed: _committed,
}
