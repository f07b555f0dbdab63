"""Writing what became of a claim: the run, its metrics, and the new baseline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from sqlalchemy import and_, bindparam, func, select

from profilemesh_airflow.store.bulk import BulkInsert
from profilemesh_airflow.store.history import COMPLETED, FAILED
from profilemesh_airflow.store.partitions import replace_partitions
from profilemesh_airflow.store.profiles import metric_rows, profile_columns
from profilemesh_airflow.store.rows import (
    belongs_to,
    document_columns,
    fingerprint_columns,
    identity_columns,
    reasons_to_json,
    table_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection, RowMapping
    from sqlalchemy.sql import Select

    from profilemesh_airflow.core.ledger import Failed, LedgerEntry
    from profilemesh_airflow.core.plan import Identity, PlanEntry
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.schema import Tables


class Before(NamedTuple):
    """What there is before a commit.

    :param change: the row of the change, as :class:`.changes.ChangeRows` reads it.
    :param last_run_at: when the table's last run was.
    :param written_for: the change for which this very run has been written; none where it has not.
    """

    change: RowMapping | None
    last_run_at: datetime | None = None
    written_for: str | None = None


class RunWriter:
    """Writes runs of one configuration, inside the transaction that it is given.

    :param change_by_id: reads the row of a change.
    """

    def __init__(self, tables: Tables, identity: Identity, change_by_id: Select[Any]) -> None:
        self._tables = tables
        self._identity = identity
        self._change_by_id = change_by_id
        self._built = _Statements(tables, identity, change_by_id)

    @property
    def _statements(self) -> _Statements:
        if self._built.runs is not self._tables.runs:
            self._built = _Statements(self._tables, self._identity, self._change_by_id)
        return self._built

    def before(self, connection: Connection, claim: LedgerEntry, run_id: str) -> Before:
        """What a commit has to know, in one query."""
        asked = {"change": claim.change_id, "key": claim.key, "id": run_id}
        row = connection.execute(self._statements.before, asked).mappings().first()
        return Before(None) if row is None else Before(row, row["last_run_at"], row["written_for"])

    def completed(
        self, connection: Connection, claim: LedgerEntry, run: RunRecord, now: datetime, before: Before
    ) -> None:
        """Write the run, its metrics and the baseline; what the same run has written before is replaced."""
        statements = self._statements
        if before.written_for is not None:
            # The metrics go with their run, by the foreign key.
            connection.execute(statements.delete, {"key": claim.key, "id": run.run_id})
        last = before.last_run_at
        # Runs of a table are ordered by time, so no two may have the same, not even when the clock was set back.
        profiled_at = now if last is None else max(now, last + timedelta(microseconds=1))
        row = {
            **self._row(claim, run.run_id, profiled_at, COMPLETED, run.dag_id, run.dag_run_id),
            **fingerprint_columns(run.entry),
            **profile_columns(run.profile),
            "worker": run.worker or claim.claimed_by,
        }
        connection.execute(statements.insert, row)
        statements.metrics(connection).run(
            connection, metric_rows(run.run_id, run.entry.ref, run.profile.columns, profiled_at)
        )
        # How old the baseline is, on the other hand, is measured by the clock as it is.
        self._move_baseline(connection, run, now)
        replace_partitions(connection, self._tables, self._identity, run)

    def failed(
        self,
        connection: Connection,
        claim: LedgerEntry,
        failed: Failed,
        now: datetime,
        dag: tuple[str | None, str | None],
    ) -> None:
        """Write a run that has nothing but its error; ``dag`` is the id of the DAG and of its run."""
        row = {
            **self._row(claim, str(uuid4()), now, FAILED, *dag),
            "worker": claim.claimed_by,
            "error": failed.error,
            "error_type": failed.error_type,
        }
        connection.execute(self._statements.insert, row)

    def take_over(self, connection: Connection, tables: Iterable[tuple[PlanEntry, str]], now: datetime) -> None:
        """Write baselines that no run of ours stands behind; each with what takes the place of its run's id."""
        own = identity_columns(self._identity)
        rows = [
            {
                **own,
                **table_columns(entry.ref),
                **fingerprint_columns(entry),
                **document_columns(entry),
                "profiled_at": now,
                "run_id": run_id,
            }
            for entry, run_id in tables
        ]
        if rows:
            connection.execute(self._statements.insert_baseline, rows)

    def _row(
        self,
        claim: LedgerEntry,
        run_id: str,
        profiled_at: datetime,
        status: str,
        dag_id: str | None,
        dag_run_id: str | None,
    ) -> dict[str, Any]:
        return {
            **identity_columns(self._identity),
            **table_columns(claim.ref),
            "run_id": run_id,
            "profiled_at": profiled_at,
            "status": status,
            "reasons": reasons_to_json(claim.reasons),
            "change_id": claim.change_id,
            "dag_id": dag_id,
            "dag_run_id": dag_run_id,
        }

    def _move_baseline(self, connection: Connection, run: RunRecord, profiled_at: datetime) -> None:
        row = {
            **fingerprint_columns(run.entry),
            **document_columns(run.entry),
            "profiled_at": profiled_at,
            "run_id": run.run_id,
        }
        statements = self._statements
        if connection.execute(statements.move_baseline, {**row, "key": run.entry.key}).rowcount == 0:
            first = {**identity_columns(self._identity), **table_columns(run.entry.ref), **row}
            connection.execute(statements.insert_baseline, first)


class _Statements:
    """Built once for these tables, as SQLAlchemy need not look again at a statement that it has compiled before."""

    def __init__(self, tables: Tables, identity: Identity, change_by_id: Select[Any]) -> None:
        self.runs = runs = tables.runs
        state = tables.state
        of_table = and_(belongs_to(runs, identity), runs.c.table_key == bindparam("key"))
        is_run = and_(runs.c.run_id == bindparam("id"), runs.c.table_key == bindparam("key"))
        last_run_at = select(func.max(runs.c.profiled_at)).where(of_table).scalar_subquery()
        # A run of the earlier integration was for no change.
        written_for = select(func.coalesce(runs.c.change_id, "")).where(is_run).scalar_subquery()
        self.before = change_by_id.add_columns(last_run_at.label("last_run_at"), written_for.label("written_for"))
        self.delete = runs.delete().where(is_run, belongs_to(runs, identity))
        self.insert = runs.insert()
        self._results = tables.results
        self._metrics: BulkInsert | None = None
        self.move_baseline = state.update().where(belongs_to(state, identity), state.c.table_key == bindparam("key"))
        self.insert_baseline = state.insert()

    def metrics(self, connection: Connection) -> BulkInsert:
        """The way to insert metrics."""
        if self._metrics is None:
            self._metrics = BulkInsert(self._results, connection.dialect)
        return self._metrics
