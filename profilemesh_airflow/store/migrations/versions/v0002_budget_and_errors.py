"""What a budget is spent by, the class of the latest error, and whether a target was confirmed since the claim."""

from __future__ import annotations

from alembic import context
from sqlalchemy import BigInteger, Column, Integer, text

from profilemesh_airflow.store.migrations.operations import add_columns
from profilemesh_airflow.store.types import LongText

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; changes that are there have priority 0 and were never deferred."""
    attributes = context.config.attributes
    names, schema = attributes["names"], attributes["schema"]
    add_columns(
        names.changes,
        schema,
        Column("priority", Integer, nullable=False, server_default=text("0")),
        Column("estimated_bytes", BigInteger),
        Column("deferrals", Integer, nullable=False, server_default=text("0")),
        Column("last_error_type", LongText),
        Column("confirmed_token", Integer, nullable=False, server_default=text("0")),
    )
    add_columns(names.runs, schema, Column("error_type", LongText))
