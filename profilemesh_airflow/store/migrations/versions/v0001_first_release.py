"""The tables of the first release: runs, results, baselines, the ledger, events."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    UniqueConstraint,
)

from profilemesh_airflow.store.migrations.operations import create_index, create_table
from profilemesh_airflow.store.schema import constraint_name
from profilemesh_airflow.store.types import LongText, UtcDateTime, counter, double, key_text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, in the schema and under the names that the caller gave."""
    attributes = context.config.attributes
    names, schema = attributes["names"], attributes["schema"]
    _make_runs(names.runs, schema)
    _make_results(names.results, names.runs, schema)
    _make_state(names.state, schema)
    _make_changes(names.changes, schema)
    _make_events(names.events, schema)


def _identity() -> list[Column[Any]]:
    return [
        Column("environment", key_text(63), nullable=False),
        Column("source_name", key_text(63), nullable=False),
    ]


def _table_columns() -> list[Column[Any]]:
    return [
        Column("table_key", key_text(250), nullable=False),
        Column("database_name", LongText),
        Column("schema_name", LongText),
        Column("dataset_name", LongText, nullable=False),
    ]


def _make_runs(name: str, schema: str | None) -> None:
    create_table(
        name,
        schema,
        Column("run_id", key_text(100), nullable=False),
        *_identity(),
        *_table_columns(),
        Column("profiled_at", UtcDateTime, nullable=False),
        Column("status", String(20), nullable=False),
        Column("reasons", LongText, nullable=False),
        Column("settings_digest", key_text(32)),
        Column("schema_digest", key_text(32)),
        Column("data_digest", key_text(32)),
        Column("data_version", LongText),
        Column("row_count", BigInteger),
        Column("column_count", Integer),
        Column("rows_scanned", BigInteger),
        Column("queries", Integer),
        Column("duration_seconds", double()),
        Column("change_id", key_text(32)),
        Column("worker", LongText),
        Column("dag_id", LongText),
        Column("dag_run_id", LongText),
        Column("error", LongText),
        PrimaryKeyConstraint("run_id", "table_key", name=constraint_name(name, "pkey")),
    )
    create_index(
        constraint_name(name, "by_table"), name, schema, ["environment", "source_name", "table_key", "profiled_at"]
    )


def _make_results(name: str, runs: str, schema: str | None) -> None:
    prefix = f"{schema}." if schema else ""
    create_table(
        name,
        schema,
        Column("run_id", key_text(100), nullable=False),
        Column("table_key", key_text(250), nullable=False),
        Column("column_position", Integer, nullable=False),
        Column("metric_name", key_text(64), nullable=False),
        Column("schema_name", LongText),
        Column("dataset_name", LongText, nullable=False),
        Column("column_name", LongText, nullable=False),
        Column("column_type", LongText, nullable=False),
        Column("metric_value", LongText),
        Column("value_type", String(8)),
        Column("numeric_value", double()),
        Column("error", LongText),
        Column("profiled_at", UtcDateTime, nullable=False),
        PrimaryKeyConstraint(
            "run_id", "table_key", "column_position", "metric_name", name=constraint_name(name, "pkey")
        ),
        ForeignKeyConstraint(
            ["run_id", "table_key"],
            [f"{prefix}{runs}.run_id", f"{prefix}{runs}.table_key"],
            name=constraint_name(name, "run_fkey"),
            ondelete="CASCADE",
        ),
    )


def _make_state(name: str, schema: str | None) -> None:
    create_table(
        name,
        schema,
        *_identity(),
        *_table_columns(),
        Column("settings_digest", key_text(32)),
        Column("schema_digest", key_text(32)),
        Column("data_digest", key_text(32)),
        Column("settings_json", LongText, nullable=False),
        Column("columns_json", LongText),
        Column("data_version", LongText),
        Column("profiled_at", UtcDateTime, nullable=False),
        Column("run_id", key_text(100), nullable=False),
        PrimaryKeyConstraint("environment", "source_name", "table_key", name=constraint_name(name, "pkey")),
    )


def _make_changes(name: str, schema: str | None) -> None:
    create_table(
        name,
        schema,
        Column("sequence", counter(), autoincrement=True, nullable=False),
        Column("change_id", key_text(32), nullable=False),
        *_identity(),
        *_table_columns(),
        Column("state", String(20), nullable=False),
        # 1 while the change is open, NULL when it is closed: a unique key treats every NULL as another value.
        Column("open_slot", SmallInteger),
        Column("revision", Integer, nullable=False),
        Column("reasons", LongText, nullable=False),
        Column("target_settings", key_text(32)),
        Column("target_schema", key_text(32)),
        Column("target_data", key_text(32)),
        Column("target_revision", Integer, nullable=False),
        Column("claimed_revision", Integer, nullable=False),
        Column("forced_revision", Integer, nullable=False),
        Column("token", Integer, nullable=False),
        Column("rings", Integer, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("detected_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        Column("next_ring_at", UtcDateTime, nullable=False),
        Column("claimed_by", LongText),
        Column("lease_until", UtcDateTime),
        Column("last_error", LongText),
        Column("last_error_at", UtcDateTime),
        Column("outcome", String(20)),
        Column("closed_at", UtcDateTime),
        Column("run_id", key_text(100)),
        PrimaryKeyConstraint("sequence", name=constraint_name(name, "pkey")),
        UniqueConstraint("change_id", name=constraint_name(name, "id_key")),
        UniqueConstraint(
            "environment", "source_name", "open_slot", "table_key", name=constraint_name(name, "open_key")
        ),
    )
    create_index(constraint_name(name, "by_table"), name, schema, ["environment", "source_name", "table_key"])


def _make_events(name: str, schema: str | None) -> None:
    create_table(
        name,
        schema,
        Column("event_id", counter(), autoincrement=True, nullable=False),
        *_identity(),
        Column("table_key", key_text(250)),
        Column("event_type", key_text(100), nullable=False),
        Column("occurred_at", UtcDateTime, nullable=False),
        Column("payload", LongText, nullable=False),
        PrimaryKeyConstraint("event_id", name=constraint_name(name, "pkey")),
    )
    create_index(constraint_name(name, "by_time"), name, schema, ["environment", "source_name", "occurred_at"])
