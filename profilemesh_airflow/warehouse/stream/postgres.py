"""PostgreSQL: rows as Arrow, through a connection of ADBC's that takes over the lane's snapshot."""

from __future__ import annotations

import math
import re
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import adbc_driver_manager
import adbc_driver_postgresql
import polars as pl
import pyarrow
import sqlalchemy as sa

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT
from profilemesh_airflow.warehouse.dialects.postgres import SNAPSHOT
from profilemesh_airflow.warehouse.double import as_double
from profilemesh_airflow.warehouse.engine import KEEPALIVES
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.relation import ALIAS
from profilemesh_airflow.warehouse.stream.intake import look_through
from profilemesh_airflow.warehouse.stream.source import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.warehouse.kinds import Kind
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.stream.source import Findings, Reader, Run, Wish
    from profilemesh_airflow.warehouse.subject import Subject

T = TypeVar("T")

#: PostgreSQL counts times from 2000, Arrow from 1970: the greatest and the least number, which stand for the infinite
#: ones, wrap around when the driver adds the difference.
_DAYS, _MICROSECONDS = 10_957, 946_684_800_000_000

_INFINITE_DATES = -(2**31) + _DAYS
_INFINITE_TIMESTAMPS = -(2**63) + _MICROSECONDS

_TIMESTAMP = Field(("Datetime",), 8, infinite=_INFINITE_TIMESTAMPS)
_TEXT = Field(("String",), 8)

#: The types whose values compare here as they do there, by the server's spelling; none that a user defined.
_FIELDS = {
    "smallint": Field(("Int16",), 4),
    "integer": Field(("Int32", "Int64"), 4),
    "bigint": Field(("Int64",), 8),
    "real": Field(("Float32",), 4),
    "double precision": Field(("Float64",), 8),
    "text": _TEXT,
    "character varying": _TEXT,
    "boolean": Field(("Boolean",), 0),
    "date": Field(("Date",), 4, infinite=_INFINITE_DATES),
    "timestamp without time zone": _TIMESTAMP,
    "timestamp with time zone": _TIMESTAMP,
}

_LENGTH = re.compile(r"\(\d+\)")
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")

#: A double holds every decimal number of so many digits.
_EXACT_DIGITS = 15

#: The bytes of rows that come at a time.
_BATCH = 4 * 2**20
_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"

#: From version 14 on a range of row addresses is found without reading the others.
_RANGES_SINCE = (14,)

#: Pages of a table below which a second reader does not pay.
_PAGES = 1000

_HALF = """
SELECT pg_catalog.pg_relation_size({0}) / CAST(current_setting('block_size') AS bigint) / 2
"""


class PostgresSource:
    """Any relation that can be read."""

    # What goes wrong on the way is an error of Arrow's, as are texts that are not UTF-8.
    errors: tuple[type[Exception], ...] = (adbc_driver_manager.Error, pyarrow.ArrowException, OSError)

    def field(self, info: TableInfo, column: Column, kind: Kind) -> Field | None:
        """By type, but for texts of a collation under which different ones may be equal."""
        if column.name in info.details["folded"]:
            return None
        if numeric := _NUMERIC.fullmatch(column.type):
            digits, decimals = map(int, numeric.groups())
            return Field(("Float64",), 8, decimals=decimals) if digits <= _EXACT_DIGITS else None
        return _FIELDS.get(_LENGTH.sub("", column.type))

    def rows(self, info: TableInfo, relation: Relation, run: Run) -> int | None:
        """The planner's estimate."""
        return info.estimated_rows

    def reader(self, connection: Connection, settings: ConnectionSettings, seconds: float | None) -> Reader:
        """A connection of its own."""
        return PostgresReader(connection.info[SNAPSHOT], settings, seconds)

    def look(
        self,
        lanes: Lanes,
        info: TableInfo,
        relation: Relation,
        columns: Sequence[tuple[Subject, Wish]],
        limit: float,
        bins: int,
    ) -> Findings:
        """Two halves of a table at once; of any other relation one reader sends all rows."""

        def crew(work: Iterable[Callable[[Lane], T]]) -> list[T]:
            return lanes.wait([lanes.submit(piece) for piece in work])

        def part(some: Relation, scans: int) -> Callable[[Lane], Generator[Sequence[pl.Series]]]:
            statement = some.select(
                *(_sent(subject, wish).label(f"c{at}") for at, (subject, wish) in enumerate(columns))
            )
            return lambda lane: lane.stream(self, lane.text(statement), scans=scans)

        (halves,) = lanes.wait([lanes.submit(_halves, info, relation, len(lanes))])
        parts = [part(some, int(number == 0)) for number, some in enumerate(halves)]
        return look_through(crew, parts, [wish for _, wish in columns], limit, bins)


def _sent(subject: Subject, wish: Wish) -> sa.ColumnElement[Any]:
    """Decimal numbers as doubles: the client would make texts of them, which takes it far longer."""
    return as_double(subject.value) if wish.field.decimals is not None else subject.value


def _halves(lane: Lane, info: TableInfo, relation: Relation, readers: int) -> Sequence[Relation]:
    """Two relations that have all rows between them, where they can be read as fast as one."""
    dialect: Any = lane.connection.dialect
    narrowed = relation.conditions or not isinstance(relation.source, sa.sql.selectable.Alias)
    if readers < 2 or info.kind != "table" or narrowed or dialect.server_version_info < _RANGES_SINCE:
        return [relation]
    try:
        ((half,),) = lane.run(sa.text(_HALF.format(info.details["oid"])))
    except StatementError:
        return [relation]
    if half < _PAGES:
        return [relation]
    address: Any = sa.literal_column(f"{ALIAS}.ctid")
    middle: Any = sa.literal_column(f"CAST('({half},0)' AS tid)")
    return [relation.where(address < middle), relation.where(address >= middle)]


class PostgresReader:
    """One ADBC connection, in the snapshot of the lanes; it cannot write.

    ADBC's own interface is used, and not its DB-API: that one imports pandas, wherever it is installed.
    """

    def __init__(self, snapshot: str, settings: ConnectionSettings, seconds: float | None) -> None:
        self._open = ExitStack()
        with ExitStack() as stack:
            database = stack.enter_context(adbc_driver_postgresql.connect(_conninfo(settings)))
            connection = stack.enter_context(adbc_driver_manager.AdbcConnection(database))
            connection.set_autocommit(False)
            self._statement = stack.enter_context(adbc_driver_manager.AdbcStatement(connection))
            self._set("TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._set(f"TRANSACTION SNAPSHOT '{snapshot}'")
            if seconds is not None:
                self._set(f"LOCAL statement_timeout = {math.ceil(seconds * 1000)}")
            self._statement.set_options(**{_BATCH_OPTION: str(_BATCH)})
            self._open = stack.pop_all()

    def read(self, request: str) -> Iterator[Sequence[pl.Series]]:
        """The columns that a statement selects, in batches as COPY delivers them."""
        self._statement.set_sql_query(request)
        rows, _ = self._statement.execute_query()
        with pyarrow.RecordBatchReader.from_stream(rows) as batches:
            for batch in batches:
                yield [_series(column) for column in batch.columns]

    def cancel(self) -> None:
        """Ask the server to stop the statement."""
        with suppress(adbc_driver_manager.Error):
            self._statement.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._open.close()

    def _set(self, what: str) -> None:
        self._statement.set_sql_query(f"SET {what}")
        self._statement.execute_update()


def _series(column: Any) -> pl.Series:
    if pyarrow.types.is_string(column.type):
        # A server whose encoding is SQL_ASCII checks no text.
        column.validate(full=True)
    return pl.Series(getattr(column, "storage", column))


def _conninfo(settings: ConnectionSettings) -> str:
    """The connection string of libpq."""
    given = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.username,
        "password": settings.password,
        "dbname": settings.database,
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": APPLICATION_NAME,
        **KEEPALIVES,
        **settings.extra_params,
        "client_encoding": "UTF8",
    }
    return " ".join(f"{name}='{_escaped(value)}'" for name, value in given.items() if value is not None)


def _escaped(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")
