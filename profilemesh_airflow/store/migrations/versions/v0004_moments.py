"""When a change was last rung, and last claimed."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Column

from profilemesh_airflow.store.migrations.operations import add_columns
from profilemesh_airflow.store.types import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, which are empty in rows that are there."""
    attributes = context.config.attributes
    add_columns(
        attributes["names"].changes,
        attributes["schema"],
        Column("rung_at", UtcDateTime),
        Column("claimed_at", UtcDateTime),
    )
