"""A store as the first release left it: its schema, and rows of every kind."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table

from profilemesh_airflow.core.fingerprint import Fingerprint, canonical_json
from profilemesh_airflow.core.plan import Column, PlanEntry, TableInfo, TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store import TableNames
from profilemesh_airflow.store.engine import BEGIN_MODE, make_engine
from profilemesh_airflow.store.schema import VERSION_TABLE
from profilemesh_airflow.store.types import UtcDateTime

THEN = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
OWNER = {"environment": "test", "source_name": "warehouse"}
ADDED = '[{"after":null,"before":null,"field":"table","kind":"added"}]'


def make_first_release(settings) -> None:
    """Make a database of schema 0001 with four tables, whose changes are open, claimed, parked and closed."""
    if settings.filepath:
        Path(settings.filepath).parent.mkdir()
    engine = make_engine(settings)
    with engine.connect().execution_options(**{BEGIN_MODE: "IMMEDIATE"}) as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", "profilemesh_airflow.store:migrations")
        config.attributes.update(connection=connection, names=TableNames(), schema=None, version_table=VERSION_TABLE)
        command.upgrade(config, "0001")
        for name, rows in _rows().items():
            connection.execute(_table(connection, name).insert(), rows)
    engine.dispose()


def entry_of(name: str) -> PlanEntry:
    """A table of the plan, as it was when the rows were written."""
    ref = TableRef(name, "sales")
    info = TableInfo(ref, (Column("id", "INTEGER"), Column("note", "TEXT")))
    return PlanEntry(ref, TableSettings(), info, data_version="1")


def _table(connection, name):
    moments = ("profiled_at", "detected_at", "updated_at", "next_ring_at", "lease_until", "last_error_at", "closed_at")
    table = Table(name, MetaData(), autoload_with=connection)
    for column in table.columns:
        if column.name in moments:
            column.type = UtcDateTime()
    return table


def _rows():
    far = datetime.now(timezone.utc) + timedelta(minutes=30)
    claimed = {"state": "claimed", "token": 1, "claimed_revision": 1, "claimed_by": "old worker", "lease_until": far}
    parked = {"state": "parked", "token": 5, "attempts": 5, "last_error": "boom", "last_error_at": THEN}
    closed = {"state": "closed", "open_slot": None, "outcome": "profiled", "closed_at": THEN, "run_id": "old"}
    return {
        "profilemesh_changes": [
            _change("open"),
            _change("claimed", **claimed),
            _change("parked", **parked),
            _change("closed", **closed),
        ],
        "profilemesh_runs": [
            _run("old", "completed", row_count=3, column_count=1),
            _run("bad", "failed", error="boom"),
        ],
        "profilemesh_results": [
            {
                "run_id": "old",
                "table_key": "sales.closed",
                "column_position": 1,
                "metric_name": "count",
                "dataset_name": "closed",
                "column_name": "id",
                "column_type": "INTEGER",
                "metric_value": "3",
                "value_type": "int",
                "numeric_value": 3.0,
                "profiled_at": THEN,
            }
        ],
        "profilemesh_table_state": [
            {
                **_place("closed"),
                **_digests("closed", "_digest"),
                "settings_json": canonical_json(entry_of("closed").settings.document),
                "columns_json": '{"id":"INTEGER","note":"TEXT"}',
                "data_version": "1",
                "profiled_at": THEN,
                "run_id": "old",
            }
        ],
    }


def _place(name):
    return {**OWNER, "table_key": f"sales.{name}", "schema_name": "sales", "dataset_name": name}


def _digests(name, end="", start=""):
    fingerprint: Fingerprint = entry_of(name).fingerprint
    return {f"{start}{part}{end}": getattr(fingerprint, part) for part in ("settings", "schema", "data")}


def _change(name, **columns):
    return {
        "change_id": name,
        **_place(name),
        **_digests(name, start="target_"),
        "state": "open",
        "open_slot": 1,
        "revision": 1,
        "reasons": ADDED,
        "target_revision": 1,
        "claimed_revision": 0,
        "forced_revision": 0,
        "token": 0,
        "rings": 0,
        "attempts": 0,
        "detected_at": THEN,
        "updated_at": THEN,
        "next_ring_at": THEN,
        **dict.fromkeys(("claimed_by", "lease_until", "last_error", "last_error_at", "outcome", "closed_at", "run_id")),
        **columns,
    }


def _run(run_id, status, **columns):
    return {
        "run_id": run_id,
        **_place("closed"),
        "profiled_at": THEN if status == "completed" else THEN - timedelta(minutes=1),
        "status": status,
        "reasons": ADDED,
        **dict.fromkeys(("row_count", "column_count", "error")),
        **columns,
    }
