"""What a run read and why so much, which metrics are approximate, and what is known of each partition."""

from __future__ import annotations

from alembic import context
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, PrimaryKeyConstraint, SmallInteger, String

from profilemesh_airflow.store.migrations.operations import add_columns, create_table
from profilemesh_airflow.store.schema import constraint_name
from profilemesh_airflow.store.types import LongText, key_text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, which are empty in rows that are there, and the table of partitions."""
    attributes = context.config.attributes
    names, schema = attributes["names"], attributes["schema"]
    add_columns(
        names.runs,
        schema,
        Column("bytes_scanned", BigInteger),
        Column("rows_of", String(20)),
        Column("strategy", LongText),
        Column("rung", String(20)),
        Column("rung_reason", LongText),
    )
    add_columns(names.results, schema, Column("approximate", SmallInteger))
    add_columns(names.changes, schema, Column("postponed", LongText))
    _make_partitions(names.partitions, names.state, schema)


def _make_partitions(name: str, state: str, schema: str | None) -> None:
    prefix = f"{schema}." if schema else ""
    owner = ("environment", "source_name", "table_key")
    create_table(
        name,
        schema,
        Column("environment", key_text(63), nullable=False),
        Column("source_name", key_text(63), nullable=False),
        Column("table_key", key_text(250), nullable=False),
        Column("partition_digest", key_text(32), nullable=False),
        Column("partition_value", LongText, nullable=False),
        Column("version", LongText),
        Column("row_count", BigInteger, nullable=False),
        Column("columns_json", LongText, nullable=False),
        Column("run_id", key_text(100), nullable=False),
        PrimaryKeyConstraint(*owner, "partition_digest", name=constraint_name(name, "pkey")),
        ForeignKeyConstraint(
            owner,
            [f"{prefix}{state}.{column}" for column in owner],
            name=constraint_name(name, "state_fkey"),
            ondelete="CASCADE",
        ),
    )
