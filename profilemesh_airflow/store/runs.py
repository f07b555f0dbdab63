"""Writing what became of a claim: the run, its metrics, and the new baseline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import and_, func, select

from profilemesh_airflow.store.profiles import metric_rows
from profilemesh_airflow.store.results import COMPLETED, FAILED
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

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.schema import Tables


class RunWriter:
    """Writes runs of one configuration, inside the transaction that it is given."""

    def __init__(self, tables: Tables, identity: Identity) -> None:
        self._tables = tables
        self._identity = identity

    def completed(self, connection: Connection, claim: LedgerEntry, run: RunRecord, now: datetime) -> None:
        """Write the run, its metrics and the baseline; what the same run has written before is replaced."""
        profiled_at = max(now, self._after_the_last(connection, claim.key, now))
        self._delete(connection, run.run_id, claim.key)
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
        connection.execute(self._tables.runs.insert(), row)
        if metrics := metric_rows(run, profiled_at):
            connection.execute(self._tables.results.insert(), metrics)
        self._move_baseline(connection, run, profiled_at)

    def failed(
        self, connection: Connection, claim: LedgerEntry, error: str, now: datetime, dag: tuple[str | None, str | None]
    ) -> None:
        """Write a run that has nothing but its error; ``dag`` is the id of the DAG and of its run."""
        row = {**self._row(claim, str(uuid4()), now, FAILED, *dag), "worker": claim.claimed_by, "error": error}
        connection.execute(self._tables.runs.insert(), row)

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

    def _after_the_last(self, connection: Connection, key: str, now: datetime) -> datetime:
        # Runs of a table are ordered by time, so no two may have the same, not even when the clock was set back.
        runs = self._tables.runs
        last = connection.execute(
            select(func.max(runs.c.profiled_at)).where(belongs_to(runs, self._identity), runs.c.table_key == key)
        ).scalar_one()
        return now if last is None else last + timedelta(microseconds=1)

    def _delete(self, connection: Connection, run_id: str, key: str) -> None:
        # The metrics go with their run, by the foreign key.
        runs = self._tables.runs
        own = and_(belongs_to(runs, self._identity), runs.c.run_id == run_id, runs.c.table_key == key)
        connection.execute(runs.delete().where(own))

    def _move_baseline(self, connection: Connection, run: RunRecord, profiled_at: datetime) -> None:
        state = self._tables.state
        row = {
            **fingerprint_columns(run.entry),
            **document_columns(run.entry),
            "profiled_at": profiled_at,
            "run_id": run.run_id,
        }
        own = and_(belongs_to(state, self._identity), state.c.table_key == run.entry.key)
        if connection.execute(state.update().where(own).values(row)).rowcount == 0:
            connection.execute(
                state.insert(), {**identity_columns(self._identity), **table_columns(run.entry.ref), **row}
            )
