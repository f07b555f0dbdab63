"""PostgreSQL: packed values through the lane's own connection; or else rows as Arrow, through one of ADBC's.

That one takes over the lane's snapshot.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import adbc_driver_manager
import adbc_driver_postgresql
import pyarrow
import sqlalchemy as sa

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT
from profilemesh_airflow.warehouse.copying import Rows
from profilemesh_airflow.warehouse.dialects.names import NamedType
from profilemesh_airflow.warehouse.dialects.postgres import SNAPSHOT
from profilemesh_airflow.warehouse.engine import KEEPALIVES
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.relation import ALIAS
from profilemesh_airflow.warehouse.stream.intake import look_through
from profilemesh_airflow.warehouse.stream.packing import field_of, packing_of, sent
from profilemesh_airflow.warehouse.stream.series import series_of_arrow
from profilemesh_airflow.warehouse.stream.source import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import polars as pl
    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.warehouse.copying import Piece
    from profilemesh_airflow.warehouse.kinds import Kind
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.stream.intake import Intake
    from profilemesh_airflow.warehouse.stream.packing import Packing
    from profilemesh_airflow.warehouse.stream.source import Field, Findings, Reader, Run, Wish
    from profilemesh_airflow.warehouse.subject import Subject

T = TypeVar("T")

#: Brings some of the rows to an intake, by way of a lane.
Part: TypeAlias = "Callable[[Lane, Intake], None]"

#: The bytes of rows that come at a time.
_BATCH = 4 * 2**20
_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"

#: No type that a user defined comes over.
_BUILTIN_TYPES = {"adbc.postgresql.type_resolver_mode": "builtin"}

#: From version 14 on a range of row addresses is found without reading the others.
_RANGES_SINCE = (14,)

#: Pages of a table below which a second reader does not pay.
_MANY_PAGES = 2000

#: Pages whose values are packed together.
_PACKED_PAGES = 1024

#: None where a table's rows are not all on its own pages (some are in tables that inherit from it), or where reading
#: some pages means reading all.
_SIZE = """
SELECT CASE WHEN NOT c.relhassubclass AND a.amname = 'heap' THEN
    pg_catalog.pg_relation_size(c.oid) / CAST(current_setting('block_size') AS bigint)
END
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_am AS a ON a.oid = c.relam WHERE c.oid = {0}
"""


class PostgresSource:
    """Any relation that can be read."""

    # What goes wrong on the way is an error of Arrow's, as are texts that are not UTF-8.
    errors: tuple[type[Exception], ...] = (adbc_driver_manager.Error, pyarrow.ArrowException, OSError)

    def field(self, info: TableInfo, column: Column, kind: Kind) -> Field | None:
        """By type, but for texts of a collation under which different ones may be equal."""
        return None if column.name in info.details["folded"] else field_of(column.type)

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
        """Two halves of a table at once, packed where that is possible; of any other relation one reader sends all."""

        def crew(work: Iterable[Callable[[Lane], T]]) -> list[T]:
            return lanes.wait([lanes.submit(piece) for piece in work])

        (pages,) = lanes.wait([lanes.submit(_pages, info, relation)])
        values = [sent(subject.value, wish) for subject, wish in columns]
        packings = [packing for subject, wish in columns if (packing := packing_of(subject.column.type, wish))]
        # Each half brings a part of the rows: together that is one scan.
        halves = list(zip(_halves(pages or 0, len(lanes)), (1, 0), strict=False))
        if pages is None:
            parts = [self._in_rows(relation, values)]
        elif len(packings) == len(columns):
            parts = [_packed(relation, half, values, packings, scans) for half, scans in halves]
        else:
            parts = [self._in_rows(_on(relation, half), values, scans) for half, scans in halves]
        return look_through(crew, parts, [wish for _, wish in columns], limit, bins)

    def _in_rows(self, relation: Relation, values: Sequence[Any], scans: int = 1) -> Part:
        """A field a value."""
        statement = relation.select(*(value.label(f"c{at}") for at, value in enumerate(values)))

        def part(lane: Lane, intake: Intake) -> None:
            intake.read(lane.stream(self, lane.text(statement), scans=scans))

        return part


def _packed(relation: Relation, pages: range, values: Sequence[Any], packings: Sequence[Packing], scans: int) -> Part:
    """A string of bytes a column, for every so many pages."""
    strings = (
        packing.pack(value).label(f"c{at}") for at, (packing, value) in enumerate(zip(packings, values, strict=True))
    )
    series = sa.func.generate_series(pages.start, pages.stop - 1, _PACKED_PAGES)
    first = series.table_valued("page").render_derived("first")
    last = sa.func.least(first.c.page + _literal(_PACKED_PAGES), _literal(pages.stop))
    packed = _between(relation, first.c.page, last).select(sa.func.count().label("rows"), *strings).lateral("packed")
    statement = sa.select(packed).select_from(first.join(packed, sa.true()))

    def part(lane: Lane, intake: Intake) -> None:
        def take(fields: Sequence[Piece | None]) -> None:
            number, *columns = (field or b"" for field in fields)
            if not intake.done:
                each = zip(packings, columns, strict=True)
                intake.take(Batch(int.from_bytes(number, "big"), [packing.unpack(column) for packing, column in each]))

        lane.copy(statement, Rows(take), scans=scans)

    return part


def _on(relation: Relation, pages: range) -> Relation:
    """The rows on some pages."""
    return _between(relation, _literal(pages.start), _literal(pages.stop))


def _literal(page: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(page))


def _between(relation: Relation, first: sa.ColumnElement[int], last: sa.ColumnElement[int]) -> Relation:
    """The rows on the pages from the first on, up to but not on the last."""
    address: Any = sa.literal_column(f"{ALIAS}.ctid")

    def start(page: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
        return sa.cast(sa.func.format("(%s,0)", page), NamedType("tid"))

    return relation.where(address >= start(first)).where(address < start(last))


def _pages(lane: Lane, info: TableInfo, relation: Relation) -> int | None:
    """How many pages a table has; none where a part of it cannot be read by them as fast as the whole."""
    dialect: Any = lane.connection.dialect
    narrowed = relation.conditions or not isinstance(relation.source, sa.sql.selectable.Alias)
    if info.kind != "table" or narrowed or dialect.server_version_info < _RANGES_SINCE:
        return None
    try:
        ((pages,),) = lane.run(sa.text(_SIZE.format(info.details["oid"])))
    except StatementError:
        return None
    return None if pages is None else int(pages)


def _halves(pages: int, readers: int) -> list[range]:
    """The pages that each of two readers reads, where that pays."""
    if readers < 2 or pages < _MANY_PAGES:
        return [range(pages)]
    return [range(pages // 2), range(pages // 2, pages)]


class PostgresReader:
    """One ADBC connection, in the snapshot of the lanes; it cannot write.

    ADBC's own interface is used, and not its DB-API: that one imports pandas, wherever it is installed.
    """

    def __init__(self, snapshot: str, settings: ConnectionSettings, seconds: float | None) -> None:
        self._open = ExitStack()
        with ExitStack() as stack:
            database = stack.enter_context(_connect(_conninfo(settings)))
            connection = stack.enter_context(adbc_driver_manager.AdbcConnection(database))
            connection.set_autocommit(False)
            self._statement = stack.enter_context(adbc_driver_manager.AdbcStatement(connection))
            self._set("TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._set(f"TRANSACTION SNAPSHOT '{snapshot}'")
            if seconds is not None:
                self._set(f"LOCAL statement_timeout = {math.ceil(seconds * 1000)}")
            self._statement.set_options(**{_BATCH_OPTION: str(_BATCH)})
            self._open = stack.pop_all()

    def read(self, request: str) -> Iterator[Batch]:
        """What a statement selects, in batches as COPY delivers them."""
        self._statement.set_sql_query(request)
        rows, _ = self._statement.execute_query()
        with pyarrow.RecordBatchReader.from_stream(rows) as batches:
            for batch in batches:
                yield Batch(batch.num_rows, [_series(column) for column in batch.columns])

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


def _connect(conninfo: str) -> Any:
    """Without a look at every column of every table, if the driver knows how (since 1.13): it takes 2 s of 10,000."""
    try:
        return adbc_driver_postgresql.connect(conninfo, db_kwargs=_BUILTIN_TYPES)
    except adbc_driver_manager.NotSupportedError:
        return adbc_driver_postgresql.connect(conninfo)


def _series(column: Any) -> pl.Series:
    if pyarrow.types.is_string(column.type):
        # A server whose encoding is SQL_ASCII checks no text.
        column.validate(full=True)
    return series_of_arrow(column)


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
