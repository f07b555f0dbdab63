"""What a worker does with a change: take it, stay at it, give it back or bring it to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.ledger import (
    CLAIMED,
    CLOSED,
    OPEN,
    Claimed,
    Committed,
    Expired,
    Failed,
    LedgerEntry,
    Postponed,
    Renewed,
    Step,
    advance,
)
from profilemesh_airflow.exceptions import ClaimLostError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.store.changes import ChangeRows, Found
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.runs import RunWriter


class Claims:
    """The claims on one configuration's changes, inside the transaction that each method is given.

    Nothing is locked before it is written. A worker that was overtaken since it read is stopped by a ``ConflictError``,
    and its transaction begins anew.
    """

    def __init__(self, changes: ChangeRows, runs: RunWriter, policy: Policy) -> None:
        self._changes = changes
        self._runs = runs
        self._policy = policy

    def take(self, connection: Connection, key: str, worker: str) -> LedgerEntry | None:
        """Claim the open change of a table, or none where there is nothing to claim."""
        found = self._changes.open_of(connection, key)
        if found is None or not found.entry.waiting(found.now):
            return None
        after = found.entry
        if after.state == CLAIMED:
            after = advance(after, Expired(), found.now, self._policy)
        claimed = after.state == OPEN
        if claimed:
            after = advance(after, Claimed(worker), found.now, self._policy)
        self._changes.save(connection, found, after)
        return after if claimed else None

    def renew(self, connection: Connection, claim: LedgerEntry) -> LedgerEntry:
        """Let the lease begin anew."""
        return self._step(connection, claim, Renewed())

    def fail(
        self, connection: Connection, claim: LedgerEntry, failed: Failed, dag: tuple[str | None, str | None]
    ) -> LedgerEntry:
        """Give the claim back and write a failed run; ``dag`` is the id of the DAG and of its run."""
        after = self._step(connection, claim, failed)
        self._runs.failed(connection, claim, failed, after.updated_at, dag)
        return after

    def postpone(self, connection: Connection, claim: LedgerEntry, postponed: Postponed) -> LedgerEntry:
        """Give the claim back; there is no run."""
        return self._step(connection, claim, postponed)

    def commit(self, connection: Connection, claim: LedgerEntry, run: RunRecord) -> LedgerEntry:
        """Write the run and what becomes of the change, or nothing where this very run is there already."""
        before = self._runs.before(connection, claim, run.run_id)
        found = self._changes.found(before.change)
        held = found is not None and found.entry.state == CLAIMED and found.entry.token == claim.token
        if found is not None and not held and before.written_for == claim.change_id:
            return found.entry
        found = _still_allowed(claim, found)
        after = advance(found.entry, Committed(run.entry.fingerprint, run.run_id), found.now, self._policy)
        self._changes.save(connection, found, after)
        self._runs.completed(connection, claim, run, found.now, before)
        return after

    def _step(self, connection: Connection, claim: LedgerEntry, step: Step) -> LedgerEntry:
        found = _still_allowed(claim, self._changes.with_id(connection, claim.change_id))
        if found.entry.state != CLAIMED:
            raise _lost(claim, "it was given back before, or its lease ran out and a refresh took note of that")
        after = advance(found.entry, step, found.now, self._policy)
        self._changes.save(connection, found, after)
        return after


def _still_allowed(claim: LedgerEntry, found: Found | None) -> Found:
    """The change, provided that the claim is the latest one and that nothing has closed it."""
    if found is None:
        raise _lost(claim, "its change is gone from the ledger")
    if found.entry.state == CLOSED:
        raise _lost(claim, f"its change was {found.entry.outcome} meanwhile")
    if found.entry.token != claim.token:
        raise _lost(claim, "its lease ran out and another worker took it over; a longer airflow.lease prevents that")
    return found


def _lost(claim: LedgerEntry, why: str) -> ClaimLostError:
    return ClaimLostError(f"the claim of {claim.claimed_by} on table {claim.ref} is over: {why}; nothing was written")
