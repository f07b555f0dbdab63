"""The store's tables, as this release writes them. :mod:`.migrations` brings a database to this shape."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from profilemesh_airflow.core.table import MAX_KEY_LENGTH, shorten
from profilemesh_airflow.store.types import LongText, UtcDateTime, counter, double, key_text

#: The migration that makes the tables below.
HEAD = "0004"
VERSION_TABLE = "profilemesh_schema_version"

#: PostgreSQL's limit for the name of a table or an index.
MAX_NAME_LENGTH = 63
_SLUG_LENGTH = 63


@dataclass(frozen=True)
class TableNames:
    """What the tables are called; the configuration may choose the first three."""

    runs: str = "profilemesh_runs"
    results: str = "profilemesh_results"
    state: str = "profilemesh_table_state"
    changes: str = "profilemesh_changes"
    events: str = "profilemesh_events"
    partitions: str = "profilemesh_partitions"

    def as_tuple(self) -> tuple[str, ...]:
        """All names."""
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass
class Tables:
    """The tables, under the names that are in use, in a database's schema or its default one.

    Whoever holds it should ask it for a table in each transaction anew: tables may be renamed while a process runs.
    """

    names: TableNames
    schema: str | None
    runs: Table
    results: Table
    state: Table
    changes: Table
    events: Table
    partitions: Table

    @property
    def metadata(self) -> MetaData:
        """What all of them belong to."""
        return self.runs.metadata

    def follow(self, renamed: Tables) -> None:
        """Be the same as ``renamed`` from now on."""
        vars(self).update(vars(renamed))

    def all(self) -> tuple[Table, ...]:
        """All of them, each after those that it refers to."""
        return self.runs, self.results, self.state, self.changes, self.events, self.partitions


def constraint_name(table: str, suffix: str) -> str:
    """The name of an index or a constraint of ``table``: unique in a schema, short enough for every database."""
    return shorten(f"{table}_{suffix}", MAX_NAME_LENGTH).replace("~", "_")


def make_tables(names: TableNames, schema: str | None = None) -> Tables:
    """Describe the tables under these names.

    :param schema: the schema of the database that they are in; none is the connection's default.
    """
    metadata = MetaData(schema=schema)
    runs = _runs(names.runs, metadata)
    state = _state(names.state, metadata)
    return Tables(
        names,
        schema,
        runs,
        _results(names.results, metadata, runs),
        state,
        _changes(names.changes, metadata),
        make_events(names.events, metadata),
        _partitions(names.partitions, metadata, state),
    )


#: Table options; only MySQL and MariaDB read them.
OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _identity() -> list[Column[Any]]:
    return [
        Column("environment", key_text(_SLUG_LENGTH), nullable=False),
        Column("source_name", key_text(_SLUG_LENGTH), nullable=False),
    ]


def _table_columns() -> list[Column[Any]]:
    return [
        Column("table_key", key_text(MAX_KEY_LENGTH), nullable=False),
        Column("database_name", LongText),
        Column("schema_name", LongText),
        Column("dataset_name", LongText, nullable=False),
    ]


def _runs(name: str, metadata: MetaData) -> Table:
    return Table(
        name,
        metadata,
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
        Column("error_type", LongText),
        Column("bytes_scanned", BigInteger),
        Column("rows_of", String(20)),
        Column("strategy", LongText),
        Column("rung", String(20)),
        Column("rung_reason", LongText),
        PrimaryKeyConstraint("run_id", "table_key", name=constraint_name(name, "pkey")),
        Index(constraint_name(name, "by_table"), "environment", "source_name", "table_key", "profiled_at"),
        **OPTIONS,
    )


def _results(name: str, metadata: MetaData, runs: Table) -> Table:
    return Table(
        name,
        metadata,
        Column("run_id", key_text(100), nullable=False),
        Column("table_key", key_text(MAX_KEY_LENGTH), nullable=False),
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
        Column("approximate", SmallInteger),
        PrimaryKeyConstraint(
            "run_id", "table_key", "column_position", "metric_name", name=constraint_name(name, "pkey")
        ),
        ForeignKeyConstraint(
            ["run_id", "table_key"],
            [runs.c.run_id, runs.c.table_key],
            name=constraint_name(name, "run_fkey"),
            ondelete="CASCADE",
        ),
        **OPTIONS,
    )


def _state(name: str, metadata: MetaData) -> Table:
    return Table(
        name,
        metadata,
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
        **OPTIONS,
    )


def _changes(name: str, metadata: MetaData) -> Table:
    return Table(
        name,
        metadata,
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
        Column("confirmed_token", Integer, nullable=False, server_default=text("0")),
        Column("rings", Integer, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("priority", Integer, nullable=False, server_default=text("0")),
        Column("estimated_bytes", BigInteger),
        Column("deferrals", Integer, nullable=False, server_default=text("0")),
        Column("detected_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        Column("next_ring_at", UtcDateTime, nullable=False),
        Column("claimed_by", LongText),
        Column("lease_until", UtcDateTime),
        Column("last_error", LongText),
        Column("last_error_type", LongText),
        Column("last_error_at", UtcDateTime),
        Column("outcome", String(20)),
        Column("closed_at", UtcDateTime),
        Column("run_id", key_text(100)),
        Column("postponed", LongText),
        Column("rung_at", UtcDateTime),
        Column("claimed_at", UtcDateTime),
        PrimaryKeyConstraint("sequence", name=constraint_name(name, "pkey")),
        UniqueConstraint("change_id", name=constraint_name(name, "id_key")),
        UniqueConstraint(
            "environment", "source_name", "open_slot", "table_key", name=constraint_name(name, "open_key")
        ),
        Index(constraint_name(name, "by_table"), "environment", "source_name", "table_key"),
        **OPTIONS,
    )


def make_events(name: str, metadata: MetaData) -> Table:
    """The table of an event log."""
    return Table(
        name,
        metadata,
        Column("event_id", counter(), autoincrement=True, nullable=False),
        *_identity(),
        Column("table_key", key_text(MAX_KEY_LENGTH)),
        Column("event_type", key_text(100), nullable=False),
        Column("occurred_at", UtcDateTime, nullable=False),
        Column("payload", LongText, nullable=False),
        PrimaryKeyConstraint("event_id", name=constraint_name(name, "pkey")),
        Index(constraint_name(name, "by_time"), "environment", "source_name", "occurred_at"),
        **OPTIONS,
    )


def _partitions(name: str, metadata: MetaData, state: Table) -> Table:
    """What is known of each partition of a table at its baseline; it goes with the baseline."""
    return Table(
        name,
        metadata,
        *_identity(),
        Column("table_key", key_text(MAX_KEY_LENGTH), nullable=False),
        Column("partition_digest", key_text(32), nullable=False),
        Column("partition_value", LongText, nullable=False),
        Column("version", LongText),
        Column("row_count", BigInteger, nullable=False),
        Column("columns_json", LongText, nullable=False),
        Column("run_id", key_text(100), nullable=False),
        PrimaryKeyConstraint(
            "environment", "source_name", "table_key", "partition_digest", name=constraint_name(name, "pkey")
        ),
        ForeignKeyConstraint(
            ["environment", "source_name", "table_key"],
            [state.c.environment, state.c.source_name, state.c.table_key],
            name=constraint_name(name, "state_fkey"),
            ondelete="CASCADE",
        ),
        **OPTIONS,
    )
