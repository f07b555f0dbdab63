"""Whether the store may be written, found out without writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import false, func, select

from profilemesh_airflow.exceptions import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

    from profilemesh_airflow.store.schema import Tables


def try_writing(connection: Connection, tables: Tables) -> None:
    """Try every statement that writes, so that it meets no row: nothing is changed.

    :raises SQLAlchemyError: one is refused.
    :raises StoreError: the numbers of new rows may not be drawn.
    """
    for table in tables.all():
        nothing = select(table).where(false())
        first = next(iter(table.columns))
        connection.execute(table.insert().from_select([column.name for column in table.columns], nothing))
        connection.execute(table.update().where(false()).values({first.name: first}))
        connection.execute(table.delete().where(false()))
        if connection.dialect.name == "postgresql":
            _check_sequence(connection, table)


def _check_sequence(connection: Connection, table: Table) -> None:
    """A statement that meets no row draws no number either, for which PostgreSQL wants another right."""
    quoted = connection.dialect.identifier_preparer.format_table(table)
    for column in table.columns:
        if column.autoincrement is not True:
            continue
        sequence = connection.execute(select(func.pg_get_serial_sequence(quoted, column.name))).scalar()
        if sequence and not connection.execute(select(func.has_sequence_privilege(sequence, "USAGE"))).scalar():
            raise StoreError(f"permission denied for sequence {sequence}")
