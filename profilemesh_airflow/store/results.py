"""Reading profiles back, and the event log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.store.profiles import StoredProfile, columns_of
from profilemesh_airflow.store.rows import belongs_to, identity_columns, reasons_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection, RowMapping
    from sqlalchemy.sql import Select
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.schema import Tables

#: The status of a run.
COMPLETED, FAILED = "completed", "failed"


@dataclass(frozen=True)
class StoredRun:
    """One attempt to profile one table.

    :param status: ``completed`` or ``failed``.
    :param error: why it failed.
    """

    run_id: str
    table_key: str
    profiled_at: datetime
    status: str
    reasons: tuple[Reason, ...]
    row_count: int | None
    duration_seconds: float | None
    worker: str | None
    dag_id: str | None
    dag_run_id: str | None
    error: str | None


class Results:
    """The profiles of one configuration. Every method is one transaction."""

    def __init__(self, database: Database, tables: Tables, identity: Identity) -> None:
        self._database = database
        self._tables = tables
        self._identity = identity

    def latest(self, key: str) -> StoredProfile | None:
        """The latest profile of a table, or none."""
        return self._newest(self._completed(key))

    def previous(self, profile: StoredProfile) -> StoredProfile | None:
        """The profile of the same table before this one, or none."""
        earlier = self._tables.runs.c.profiled_at < profile.profiled_at
        return self._newest(and_(self._completed(profile.table_key), earlier))

    def profile(self, run_id: str, key: str) -> StoredProfile | None:
        """What one run found out about one table, or none."""
        return self._newest(and_(self._completed(key), self._tables.runs.c.run_id == run_id))

    def runs(self, key: str, limit: int = 20) -> list[StoredRun]:
        """The latest runs of a table, failed ones too, newest first."""
        runs = self._tables.runs
        wanted = self._newest_first(and_(belongs_to(runs, self._identity), runs.c.table_key == key)).limit(limit)
        return self._database.read(lambda connection: [_run_of(row) for row in connection.execute(wanted).mappings()])

    def add_event(self, event_type: str, key: str | None = None, payload: Mapping[str, Any] | None = None) -> None:
        """Append to the event log, at the time of the database's clock.

        :param key: the table it is about, or none.
        :param payload: JSON-safe data, without secrets.
        """
        row = {
            **identity_columns(self._identity),
            "event_type": event_type,
            "table_key": key,
            "payload": canonical_json(payload or {}),
        }

        def work(connection: Connection) -> None:
            connection.execute(self._tables.events.insert(), {**row, "occurred_at": self._database.now(connection)})

        self._database.write(work)

    def _completed(self, key: str) -> ColumnElement[bool]:
        runs = self._tables.runs
        return and_(belongs_to(runs, self._identity), runs.c.table_key == key, runs.c.status == COMPLETED)

    def _newest_first(self, where: ColumnElement[bool]) -> Select[Any]:
        runs = self._tables.runs
        return select(runs).where(where).order_by(runs.c.profiled_at.desc(), runs.c.run_id)

    def _newest(self, where: ColumnElement[bool]) -> StoredProfile | None:
        return self._database.read(lambda connection: self._read(connection, where))

    def _read(self, connection: Connection, where: ColumnElement[bool]) -> StoredProfile | None:
        run = connection.execute(self._newest_first(where).limit(1)).mappings().first()
        if run is None:
            return None
        results = self._tables.results
        rows = connection.execute(
            select(results)
            .where(results.c.run_id == run["run_id"], results.c.table_key == run["table_key"])
            .order_by(results.c.column_position)
        )
        return StoredProfile(
            run["table_key"], run["run_id"], run["profiled_at"], run["row_count"], columns_of(rows.mappings())
        )


def _run_of(row: RowMapping) -> StoredRun:
    plain = {name: row[name] for name in StoredRun.__dataclass_fields__ if name != "reasons"}
    return StoredRun(reasons=reasons_from_json(row["reasons"]), **plain)
