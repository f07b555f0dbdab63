"""What the streaming way needs to know of a kind of database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl
    import sqlalchemy as sa
    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.warehouse.kinds import Kind
    from profilemesh_airflow.warehouse.lanes import Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

    Run = Callable[[sa.Select[Any]], Sequence[Any]]


#: Why a column is unfit whose values are not all numbers, or all texts, or all truth values.
SEVERAL_TYPES = "holds values of several types"


class UnfitError(Exception):
    """The values of a column cannot be measured here as the database would; it has to do so itself."""


@dataclass(frozen=True)
class Field:
    """How a column comes over.

    :param types: what its values may be, as polars calls the types.
    :param width: the bytes that are thought to be kept of a value.
    :param decimals: of decimal numbers, which come as doubles, how many digits follow the point.
    :param infinite: of times, the greatest of the whole numbers that stand for infinite ones, which are the least.
    """

    types: tuple[str, ...]
    width: int
    decimals: int | None = None
    infinite: int | None = None


@dataclass(frozen=True)
class Wish:
    """A column that comes over, and what is wanted of it."""

    kind: Kind
    metrics: frozenset[str]
    field: Field


@dataclass(frozen=True)
class Batch:
    """Some rows as they arrive.

    :param columns: the values of each column, with or without NULLs; or why it is unfit.
    """

    rows: int
    columns: Sequence[pl.Series | UnfitError]


@dataclass
class Found:
    """What was measured of a column, and what failed, by the names that :class:`Subject` has for them.

    :ivar hashed: whether its distinct values were told apart by their hashes.
    """

    measured: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    hashed: bool = False


@dataclass
class Findings:
    """What came of some columns, by their places.

    :ivar rows: how many rows there were.
    :ivar unfit: why the database has to measure a column itself.
    :ivar put_off: columns that there was no room for.
    """

    rows: int = 0
    found: dict[int, Found] = field(default_factory=dict)
    unfit: dict[int, str] = field(default_factory=dict)
    put_off: list[int] = field(default_factory=list)


class Reader(Protocol):
    """Reads rows as they are at the moment that the lane's connection sees."""

    def read(self, request: Any) -> Iterator[Any]:
        """What the source that opened it asks for, a part at a time."""

    def cancel(self) -> None:
        """Stop what another thread is reading."""

    def close(self) -> None:
        """Give everything back."""


class Source(Protocol):
    """One kind of database."""

    #: What reading from it raises when it refuses.
    errors: tuple[type[Exception], ...]

    def field(self, info: TableInfo, column: Column, kind: Kind) -> Field | None:
        """How a column comes over; none where its values do not compare here as they do there."""

    def rows(self, info: TableInfo, relation: Relation, run: Run) -> int | None:
        """About how many rows the table has."""

    def reader(self, connection: Connection, settings: ConnectionSettings, seconds: float | None) -> Reader:
        """A reader that sees what ``connection`` sees; a statement may take so many seconds."""

    def look(
        self,
        lanes: Lanes,
        info: TableInfo,
        relation: Relation,
        columns: Sequence[tuple[Subject, Wish]],
        limit: float,
        bins: int,
    ) -> Findings:
        """Read some columns once and measure those that fit into ``limit`` bytes.

        :raises StatementError: they cannot be read.
        """
