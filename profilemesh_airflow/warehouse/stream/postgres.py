"""PostgreSQL: packed values through the lane's own connection, or else rows through one of ADBC's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import sqlalchemy as sa

from profilemesh_airflow.warehouse.copying import Rows
from profilemesh_airflow.warehouse.dialects.names import NamedType
from profilemesh_airflow.warehouse.dialects.postgres import SNAPSHOT
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.relation import ALIAS
from profilemesh_airflow.warehouse.stream.intake import look_through
from profilemesh_airflow.warehouse.stream.packing import field_of, packing_of, sent
from profilemesh_airflow.warehouse.stream.postgres_rows import ERRORS, PostgresReader
from profilemesh_airflow.warehouse.stream.source import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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

    errors = ERRORS

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
