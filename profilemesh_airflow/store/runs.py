"""Writing what became of a claim: the run, its metrics, and the new baseline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import and_, bindparam, exists, func, select

from profilemesh_airflow.store.bulk import BulkInsert
from profilemesh_airflow.store.history import COMPLETED, FAILED
from profilemesh_airflow.store.profiles import metric_rows
from profilemesh_airflow.store.rows import (
    belongs_to,
    document_columns,
    fingerprint_columns,
    identity_columns,
    reasons_to_json,
    table_columns,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.ledger import Failed, LedgerEntry
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.schema import Tables


class RunWriter:
    """Writes runs of one configuration, inside the transaction that it is given."""

    def __init__(self, tables: Tables, identity: Identity) -> None:
        self._tables = tables
        self._identity = identity
        self._built = _Statements(tables, identity)

    @property
    def _statements(self) -> _Statements:
        if self._built.runs is not self._tables.runs:
            self._built = _Statements(self._tables, self._identity)
        return self._built

    def completed(self, connection: Connection, claim: LedgerEntry, run: RunRecord, now: datetime) -> None:
        """Write the run, its metrics and the baseline; what the same run has written before is replaced."""
        statements, run_key = self._statements, {"key": claim.key, "id": run.run_id}
        last, again = connection.execute(statements.before, run_key).one()
        if again:
            # The metrics go with their run, by the foreign key.
            connection.execute(statements.delete, run_key)
        # Runs of a table are ordered by time, so no two may have the same, not even when the clock was set back.
        profiled_at = now if last is None else max(now, last + timedelta(microseconds=1))
        row = {
            **self._row(claim, run.run_id, profiled_at, COMPLETED, run.dag_id, run.dag_run_id),
            **fingerprint_columns(run.entry),
            "row_count": run.profile.row_count,
            "column_count": len(run.profile.columns),
            "rows_scanned": run.profile.rows_scanned,
            "queries": run.profile.queries,
            "duration_seconds": run.profile.seconds,
            "worker": run.worker or claim.claimed_by,
        }
        connection.execute(statements.insert, row)
        statements.metrics(connection).run(
            connection, metric_rows(run.run_id, run.entry.ref, run.profile.columns, profiled_at)
        )
        # How old the baseline is, on the other hand, is measured by the clock as it is.
        self._move_baseline(connection, run, now)

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

    def holds(self, connection: Connection, claim: LedgerEntry, run_id: str) -> bool:
        """Whether the run has been written for this change."""
        asked = {"key": claim.key, "id": run_id}
        return connection.execute(self._statements.change_of, asked).scalars().first() == claim.change_id

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

    def __init__(self, tables: Tables, identity: Identity) -> None:
        self.runs = runs = tables.runs
        state = tables.state
        of_table = and_(belongs_to(runs, identity), runs.c.table_key == bindparam("key"))
        is_run = and_(runs.c.run_id == bindparam("id"), runs.c.table_key == bindparam("key"))
        self.change_of = select(runs.c.change_id).where(is_run)
        #: When the table's last run was, and whether this one has been written before.
        self.before = select(
            select(func.max(runs.c.profiled_at)).where(of_table).scalar_subquery(),
            exists(select(runs.c.run_id).where(is_run)),
        )
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
