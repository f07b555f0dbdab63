"""The ledger: changes from their detection until they are profiled, withdrawn or retired."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from profilemesh_airflow.core.ledger import (
    CLAIMED,
    CLOSED,
    OPEN,
    Claimed,
    Committed,
    Failed,
    LedgerEntry,
    Rung,
    advance,
)
from profilemesh_airflow.exceptions import ClaimLostError
from profilemesh_airflow.store.changes import ChangeRows
from profilemesh_airflow.store.reconcile import LedgerView, reconcile
from profilemesh_airflow.store.runs import RunWriter
from profilemesh_airflow.store.views import ViewReader

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.diff import Baseline, Diff
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.schema import Tables

#: An error is kept on a change up to this length.
MAX_ERROR_LENGTH = 2000


class Ledger:
    """The ledger of one environment and source. Every method is one transaction, on the database's clock.

    What becomes of a change is decided by :func:`profilemesh_airflow.core.ledger.advance` and
    :func:`profilemesh_airflow.store.reconcile.reconcile`; here it is made durable, under lock.
    """

    def __init__(self, database: Database, tables: Tables, identity: Identity, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._reader = ViewReader(database, tables, identity)
        self._changes = ChangeRows(tables, identity)
        self._runs = RunWriter(tables, identity)

    def now(self) -> datetime:
        """The time on the database's clock, in UTC."""
        return self._database.read(self._database.now)

    def view(self) -> LedgerView:
        """Baselines and open changes. Read it before the plan is built that is compared with it."""
        return self._database.read(self._reader.view)

    def baselines(self, keys: Collection[str] | None = None) -> dict[str, Baseline]:
        """The baselines by table key, of these tables or of all."""
        return self._database.read(lambda connection: self._reader.baselines(connection, keys))

    def open_entries(self, keys: Collection[str] | None = None) -> dict[str, LedgerEntry]:
        """The changes that are not closed, by table key, of these tables or of all."""
        rows = self._database.read(lambda connection: self._reader.open_rows(connection, keys))
        return {entry.key: entry for entry, _ in rows}

    def entries(self, change_ids: Collection[str]) -> list[LedgerEntry]:
        """The changes with these ids, closed ones too, oldest first."""
        return self._database.read(lambda connection: self._changes.by_ids(connection, change_ids))

    def history(self, key: str, limit: int = 20) -> list[LedgerEntry]:
        """The latest changes of a table, newest first, an open one at the head."""
        return self._database.read(lambda connection: self._changes.newest(connection, key, limit))

    def record(self, diff: Diff, seen: LedgerView) -> list[LedgerEntry]:
        """Write what a refresh found: open or move changes, withdraw the unchanged, retire the removed.

        :param seen: the ledger as it was before the plan was built. What was written since is respected: nothing that
            another refresh opened, or a worker touched, is closed on older news.
        :returns: the changes of the tables in ``diff`` whose doorbell is due, oldest first.
        """

        def work(connection: Connection) -> list[LedgerEntry]:
            current = self._lock_current(connection, diff)
            writes = reconcile(diff, seen, current, self._policy, lambda: uuid4().hex)
            self._changes.write(connection, writes)
            moved = {entry.change_id: entry for entry in writes.moved}
            known = [moved.get(entry.change_id, entry) for entry in current.entries.values()]
            return [entry for entry in (*known, *writes.new) if entry.to_ring(current.now)]

        return self._database.write(work)

    def mark_rung(self, change_ids: Collection[str]) -> None:
        """Note that doorbells were sent, so that the next one waits its time. Closed and parked changes are left."""

        def work(connection: Connection) -> None:
            entries = self._changes.by_ids(connection, change_ids, lock=True)
            now = self._database.now(connection)
            answerable = [entry for entry in entries if entry.state in (OPEN, CLAIMED)]
            self._changes.update(connection, [advance(entry, Rung(), now, self._policy) for entry in answerable])

        self._database.write(work)

    def claim(self, key: str, worker: str) -> LedgerEntry | None:
        """Take the open change of a table, under a lease and a new fencing token.

        :returns: the claim, or none where there is nothing to do: no open change, a parked one, or one that
            another worker holds.
        """

        def work(connection: Connection) -> LedgerEntry | None:
            found = self._changes.lock_open(connection, key)
            now = self._database.now(connection)
            if found is None or not found[0].waiting(now):
                return None
            return self._changes.advance(connection, found, Claimed(worker), now, self._policy)

        return self._database.write(work)

    def commit(self, claim: LedgerEntry, run: RunRecord) -> LedgerEntry:
        """Store a profile: metrics, run, new baseline and the change's new state, all or nothing.

        :param claim: what :meth:`claim` returned.
        :returns: the change: closed, or open again for a target that moved meanwhile.
        :raises ClaimLostError: the claim is over; nothing is written.
        """

        def work(connection: Connection) -> LedgerEntry:
            found = self._lock_claimed(connection, claim)
            now = self._database.now(connection)
            step = Committed(run.entry.fingerprint, run.run_id)
            after = self._changes.advance(connection, found, step, now, self._policy)
            self._runs.completed(connection, claim, run, now)
            return after

        return self._database.write(work)

    def fail(
        self, claim: LedgerEntry, error: str, *, dag_id: str | None = None, dag_run_id: str | None = None
    ) -> LedgerEntry:
        """Give a claim back because the profile failed, and write a failed run.

        :param error: why, without secrets; the first 2,000 characters are kept.
        :returns: the change: open again after a wait, or parked.
        :raises ClaimLostError: the claim is over; nothing is written.
        """
        short = self._database.redact(error)[:MAX_ERROR_LENGTH]

        def work(connection: Connection) -> LedgerEntry:
            found = self._lock_claimed(connection, claim)
            now = self._database.now(connection)
            after = self._changes.advance(connection, found, Failed(short), now, self._policy)
            self._runs.failed(connection, claim, short, now, (dag_id, dag_run_id))
            return after

        return self._database.write(work)

    def _lock_current(self, connection: Connection, diff: Diff) -> LedgerView:
        removed = {ref.key for ref in diff.removed}
        looked_at = {change.key for change in diff.changes} | removed
        rows = self._reader.open_rows(connection, looked_at.union(diff.unchanged), lock=True)
        kept = looked_at.union(entry.key for entry, _ in rows) - removed
        baselines = self._reader.baselines(connection, kept)
        if removed:
            # Two refreshes that remove the same table wait for each other, so that only one tells of it.
            baselines.update(self._reader.baselines(connection, removed, lock=True))
        return self._reader.view_of(connection, rows, baselines)

    def _lock_claimed(self, connection: Connection, claim: LedgerEntry) -> tuple[LedgerEntry, int]:
        found = self._changes.lock(connection, claim.change_id)
        if found is None:
            raise _lost(claim, "its change is gone from the ledger")
        entry, _ = found
        if entry.state == CLOSED:
            raise _lost(claim, f"its change was {entry.outcome} meanwhile")
        if entry.token != claim.token:
            raise _lost(
                claim, "its lease ran out and another worker took it over; a longer airflow.lease prevents that"
            )
        if entry.state != CLAIMED:
            raise _lost(claim, "it was given back before")
        return found


def _lost(claim: LedgerEntry, why: str) -> ClaimLostError:
    return ClaimLostError(f"the claim of {claim.claimed_by} on table {claim.ref} is over: {why}; nothing was written")
