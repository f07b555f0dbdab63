"""What a step does, safe to do again.

MySQL and MariaDB commit each statement that changes the schema by itself, so a step that was cut short has left a part
of its work behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic import op
from sqlalchemy import inspect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column
    from sqlalchemy.schema import SchemaItem

#: Table options; only MySQL and MariaDB read them.
OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def create_table(name: str, schema: str | None, *items: SchemaItem) -> None:
    """Make a table, unless it is there."""
    if not inspect(op.get_bind()).has_table(name, schema=schema):
        op.create_table(name, *items, schema=schema, **OPTIONS)


def create_index(name: str, table: str, schema: str | None, columns: Sequence[str]) -> None:
    """Make an index, unless it is there."""
    if name not in {index["name"] for index in inspect(op.get_bind()).get_indexes(table, schema=schema)}:
        op.create_index(name, table, list(columns), schema=schema)


def add_columns(table: str, schema: str | None, *columns: Column[Any]) -> None:
    """Add those of the columns that are not there."""
    present = {column["name"] for column in inspect(op.get_bind()).get_columns(table, schema=schema)}
    for column in columns:
        if column.name not in present:
            op.add_column(table, column, schema=schema)
