"""Inserting many rows with one statement."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, Dialect

    Rows = list[tuple[Any, ...]]

#: Rows in one statement. MySQL takes 16 MiB with it.
MOST_ROWS = 1000


class BulkInsert:
    """Inserts rows into a table, as SQLAlchemy's own way does, which takes several times the CPU.

    :param table: each row has to have a value for each of its columns.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        quote = dialect.identifier_preparer
        self._processors = [
            (column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in table.columns
        ]
        names = ", ".join(quote.quote(column.name) for column in table.columns)
        self._insert = f"INSERT INTO {quote.format_table(table)} ({names})"
        types = [column.type.compile(dialect) for column in table.columns]
        self._from_json = ", ".join(f"CAST(line ->> {position} AS {type_})" for position, type_ in enumerate(types))
        ways: dict[str, Callable[[Connection, Rows], None]] = {"sqlite": self._one_by_one, "postgresql": self._as_json}
        self._send = ways.get(dialect.name, self._as_values)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows, if there are any."""
        columns = [_processed([row[name] for row in rows], process) for name, process in self._processors]
        values = list(zip(*columns, strict=True))
        for start in range(0, len(values), MOST_ROWS):
            self._send(connection, values[start : start + MOST_ROWS])

    def _one_by_one(self, connection: Connection, rows: Rows) -> None:
        """For a database in this very process, for which a statement costs next to nothing."""
        connection.exec_driver_sql(f"{self._insert} VALUES ({', '.join('?' * len(self._processors))})", rows)

    def _as_json(self, connection: Connection, rows: Rows) -> None:
        """As one value, where neither driver nor server has hundreds of them to look for."""
        lines = json.dumps(rows, allow_nan=False, default=datetime.isoformat)
        source = "jsonb_array_elements(CAST(%(lines)s AS jsonb)) AS line"
        statement = f"{self._insert} SELECT {self._from_json} FROM {source}"  # noqa: S608 - names are quoted
        connection.exec_driver_sql(statement, {"lines": lines})

    def _as_values(self, connection: Connection, rows: Rows) -> None:
        row = f"({', '.join(['%s'] * len(self._processors))})"
        values = tuple(value for each in rows for value in each)
        connection.exec_driver_sql(f"{self._insert} VALUES {', '.join([row] * len(rows))}", values)


def _processed(values: list[Any], process: Callable[[Any], Any] | None) -> list[Any]:
    """The values of a column as the driver takes them; many are the same in all rows."""
    if process is None:
        return values
    sent = {value: process(value) for value in set(values)}
    return [sent[value] for value in values]
