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
    Renewed,
    Step,
    advance,
)
from profilemesh_airflow.exceptions import ClaimLostError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.store.changes import ChangeRows
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.runs import RunWriter


class Claims:
    """The claims on one configuration's changes, inside the transaction that each method is given."""

    def __init__(self, database: Database, changes: ChangeRows, runs: RunWriter, policy: Policy) -> None:
        self._database = database
        self._changes = changes
        self._runs = runs
        self._policy = policy

    def take(self, connection: Connection, key: str, worker: str) -> LedgerEntry | None:
        """Claim the open change of a table, or none where there is nothing to claim."""
        found = self._changes.lock_open(connection, key)
        now = self._database.now(connection)
        if found is None or not found[0].waiting(now):
            return None
        after, _ = found
        if after.state == CLAIMED:
            after = advance(after, Expired(), now, self._policy)
        claimed = after.state == OPEN
        if claimed:
            after = advance(after, Claimed(worker), now, self._policy)
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

    def commit(self, connection: Connection, claim: LedgerEntry, run: RunRecord) -> LedgerEntry:
        """Write the run and what becomes of the change, or nothing where this very run is there already."""
        found = self._changes.lock(connection, claim.change_id)
        entry = None if found is None else found[0]
        held = entry is not None and entry.state == CLAIMED and entry.token == claim.token
        if entry is not None and not held and self._runs.holds(connection, claim, run.run_id):
            return entry
        found = _still_allowed(claim, found)
        now = self._database.now(connection)
        after = advance(found[0], Committed(run.entry.fingerprint, run.run_id), now, self._policy)
        self._changes.save(connection, found, after)
        self._runs.completed(connection, claim, run, now)
        return after

    def _step(self, connection: Connection, claim: LedgerEntry, step: Step) -> LedgerEntry:
        found = _still_allowed(claim, self._changes.lock(connection, claim.change_id))
        if found[0].state != CLAIMED:
            raise _lost(claim, "it was given back before, or its lease ran out and a refresh took note of that")
        after = advance(found[0], step, self._database.now(connection), self._policy)
        self._changes.save(connection, found, after)
        return after


def _still_allowed(claim: LedgerEntry, found: tuple[LedgerEntry, int] | None) -> tuple[LedgerEntry, int]:
    """The change, provided that the claim is the latest one and that nothing has closed it."""
    if found is None:
        raise _lost(claim, "its change is gone from the ledger")
    entry, _ = found
    if entry.state == CLOSED:
        raise _lost(claim, f"its change was {entry.outcome} meanwhile")
    if entry.token != claim.token:
        raise _lost(claim, "its lease ran out and another worker took it over; a longer airflow.lease prevents that")
    return found


def _lost(claim: LedgerEntry, why: str) -> ClaimLostError:
    return ClaimLostError(f"the claim of {claim.claimed_by} on table {claim.ref} is over: {why}; nothing was written")
