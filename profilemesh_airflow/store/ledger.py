"""The ledger: changes from their detection until they are profiled, withdrawn or retired."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from profilemesh_airflow.core.diff import IMPORTED
from profilemesh_airflow.core.ledger import CLAIMED, OPEN, Failed, LedgerEntry, Postponed, Rung, advance
from profilemesh_airflow.store.changes import ChangeRows
from profilemesh_airflow.store.claims import Claims
from profilemesh_airflow.store.reconcile import LedgerView, Writes, reconcile, reopen
from profilemesh_airflow.store.runs import RunWriter
from profilemesh_airflow.store.views import ViewReader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.budget import Budget
    from profilemesh_airflow.core.diff import Baseline, Diff
    from profilemesh_airflow.core.plan import Identity, PlanEntry
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.schema import Tables

#: An error is kept on a change up to this length.
MAX_ERROR_LENGTH = 2000

#: The store's limit.
MAX_RUN_ID_LENGTH = 100


class Ledger:
    """The ledger of one environment and source. Every method is one transaction, on the database's clock.

    What becomes of a change is decided by :func:`profilemesh_airflow.core.ledger.advance` and
    :func:`profilemesh_airflow.store.reconcile.reconcile`; here it is made durable: under lock where many changes are
    written, and otherwise guarded by the revision of the row.
    """

    def __init__(self, database: Database, tables: Tables, identity: Identity, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._reader = ViewReader(database, tables, identity)
        self._changes = ChangeRows(tables, identity, database.clock)
        self._runs = RunWriter(tables, identity, self._changes.by_id)
        self._claims = Claims(self._changes, self._runs, policy)

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
        """The changes of this configuration with these ids, closed ones too, oldest first."""
        return self._database.read(lambda connection: self._changes.by_ids(connection, change_ids))

    def history(self, key: str, limit: int = 20) -> list[LedgerEntry]:
        """The latest changes of a table, newest first, an open one at the head."""
        return self._database.read(lambda connection: self._changes.newest(connection, key, limit))

    def tables(self) -> list[TableRef]:
        """Every table that ever had a change, also those that left the plan since."""
        return self._database.read(self._changes.tables)

    def record(
        self,
        diff: Diff,
        seen: LedgerView,
        budget: Budget | None = None,
        tell: Callable[[Writes], None] = lambda _: None,
    ) -> list[LedgerEntry]:
        """Write what a refresh found: open or move changes, withdraw the unchanged, retire the removed.

        A claim on one of the tables whose lease has run out counts as a failed attempt.

        :param seen: the ledger as it was before the plan was built. What was written since is respected: nothing that
            another refresh opened, or a worker touched, is closed on older news.
        :param budget: the most that is to be rung; none is no limit.
        :param tell: is told what was written, once it is committed.
        :returns: the changes of the tables in ``diff`` whose doorbell is due and for which there is budget, in the
            order of the queue. The others whose doorbell is due are deferred.
        """

        def work(connection: Connection) -> Writes:
            current = self._lock_current(connection, diff)
            writes = reconcile(diff, seen, current, self._policy, _new_id, budget)
            self._changes.write(connection, writes)
            return writes

        written = self._database.write(work)
        tell(written)
        return list(written.to_ring)

    def reopen(self, refs: Iterable[TableRef], reason: str) -> list[LedgerEntry]:
        """Have tables profiled again, whatever changed: force their open change, or open one for their baseline.

        :param reason: why, for people.
        :returns: the changes; a table that has neither an open change nor a baseline has none.
        """
        wanted = list(refs)
        keys = {ref.key for ref in wanted}

        def work(connection: Connection) -> Writes:
            rows = self._reader.open_rows(connection, keys, lock=True)
            current = self._reader.view_of(connection, rows, self._reader.baselines(connection, keys))
            writes = reopen(wanted, reason, current, self._policy, _new_id)
            self._changes.write(connection, writes)
            return writes

        writes = self._database.write(work)
        return [*writes.moved, *writes.new]

    def take_over(self, tables: Iterable[tuple[PlanEntry, str]]) -> list[str]:
        """Give tables the baseline that they are at now, on the strength of an earlier integration's profile.

        :param tables: each as the plan has it, and the run that profiled it.
        :returns: the keys of those that had no baseline yet, and have one now.
        """
        wanted = {entry.key: (entry, f"{IMPORTED}{run_id}"[:MAX_RUN_ID_LENGTH]) for entry, run_id in tables}

        def work(connection: Connection) -> list[str]:
            known = self._reader.baselines(connection, wanted.keys(), lock=True)
            new = [table for key, table in wanted.items() if key not in known]
            self._runs.take_over(connection, new, self._database.now(connection))
            return [entry.key for entry, _ in new]

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

        A claim on it whose lease has run out counts as a failed attempt first, which may park the change.

        :returns: the claim, or none where there is nothing to do: no open change, a parked one, or one that
            another worker holds.
        """
        return self._database.write(lambda connection: self._claims.take(connection, key, worker))

    def renew(self, claim: LedgerEntry) -> LedgerEntry:
        """Let the lease of a claim begin anew: its worker is alive.

        :raises ClaimLostError: the claim is over. A commit may still succeed, where no other worker has the change.
        """
        return self._database.write(lambda connection: self._claims.renew(connection, claim))

    def commit(self, claim: LedgerEntry, run: RunRecord) -> LedgerEntry:
        """Store a profile: metrics, run, new baseline and the change's new state, all or nothing.

        It may be tried again when the answer of the first time was lost: the same run is stored once. It may come after
        the lease has run out, as long as no other worker has taken the change and nothing has closed it.

        :param claim: what :meth:`claim` returned.
        :returns: the change: closed, or open again for a target that moved meanwhile.
        :raises ClaimLostError: the claim is over; nothing is written.
        """
        return self._database.write(lambda connection: self._claims.commit(connection, claim, run))

    def fail(
        self,
        claim: LedgerEntry,
        error: str,
        error_type: str | None = None,
        *,
        dag_id: str | None = None,
        dag_run_id: str | None = None,
    ) -> LedgerEntry:
        """Give a claim back because the profile failed, and write a failed run.

        :param error: why, without secrets; the first 2,000 characters are kept.
        :param error_type: the error's class.
        :returns: the change: open again after a wait, or parked.
        :raises ClaimLostError: the claim is over; nothing is written.
        """
        failed = Failed(self._database.redact(error)[:MAX_ERROR_LENGTH], error_type)
        dag = (dag_id, dag_run_id)
        return self._database.write(lambda connection: self._claims.fail(connection, claim, failed, dag))

    def postpone(self, claim: LedgerEntry, why: str) -> LedgerEntry:
        """Give a claim back though nothing failed: the change stays open, and is rung again after its wait.

        :param why: for people.
        :raises ClaimLostError: the claim is over; nothing is written.
        """
        return self._database.write(lambda connection: self._claims.postpone(connection, claim, Postponed(why)))

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


def _new_id() -> str:
    return uuid4().hex
