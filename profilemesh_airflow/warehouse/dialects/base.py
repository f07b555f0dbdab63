"""What a dialect has to know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import bin_number
from profilemesh_airflow.warehouse.dialects.times import iso_8601
from profilemesh_airflow.warehouse.double import as_double, ratio
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import MAX_DOUBLE, between, is_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.warehouse.relation import Relation

    Run = Callable[[sa.Select[Any]], Sequence[Any]]


#: Kinds whose values sort so fast that counting distinct ones by sorting beats grouping, if most of them differ.
SORTS_FAST = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.TEMPORAL})

#: Row hashes go from 0 to one less than this prime.
HASHES = 2**31 - 1

_INFINITE_TIMES = ("infinity", "-infinity")


class Dialect(ABC):
    """One kind of database.

    ``details`` of the :class:`TableInfo` that :meth:`catalog` gives hold at least ``name`` and ``schema`` (as the
    database spells them), ``kinds`` (one :class:`Kind` a column), ``folded`` (the text columns in which values of
    different lengths may be equal) and, where its columns cannot be read, ``error``; and ``partition_key`` where the
    database itself divides the table by one column; and ``modified``, in seconds since 1970, where the database tells
    when rows were last written.
    """

    #: ``source.type`` in the configuration.
    name: ClassVar[str]
    #: Whether one login can read several databases.
    several_databases: ClassVar[bool] = True
    #: How many digits an exact number has at most; none where there is no limit that matters.
    digits: ClassVar[int | None] = None
    #: Whether ``avg`` of exact numbers cuts off decimals.
    cuts_averages: ClassVar[bool] = False
    #: SQLSTATEs (on MySQL its error numbers), and parts of messages, that mean "there is no such table".
    missing_codes: ClassVar[frozenset[str]] = frozenset()
    missing_messages: ClassVar[tuple[str, ...]] = ()
    #: SQL for a random number from 0 to 1, another one for each row; without it nothing is approximated.
    random: ClassVar[str | None] = None
    #: Whether the number of rows is counted where the catalog does not tell, to find out if approximating is worth it.
    counts_fast: ClassVar[bool] = False
    #: Whether there are times that are greater or less than every other.
    infinite_times: ClassVar[bool] = False
    #: The type of any text.
    text: ClassVar[Any] = sa.Text()
    #: From which bit on those of :meth:`value_hash` are evenly spread.
    even_bits: ClassVar[int] = 0
    #: What TABLESAMPLE ... REPEATABLE can be applied to, by :attr:`TableInfo.kind`.
    tablesample: ClassVar[frozenset[str]] = frozenset()
    #: How much TABLESAMPLE SYSTEM takes or leaves as a whole.
    block_bytes: ClassVar[int] = 8192

    #: Whether a scan that sums up other things counts the distinct ones of a few values at next to no cost.
    counts_few: ClassVar[bool] = False

    @abstractmethod
    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """The tables that exist, with all their columns, in one query; ``schema`` is where a bare name is looked up."""

    @abstractmethod
    def tables(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Every table and view of the database that is the user's own, in one query: its schema, name and kind.

        Names are as the database spells them, and such that :meth:`catalog` finds the table by schema and name. The
        kind is that of :attr:`TableInfo.kind`: ``table``, ``partitioned table``, ``view``, ``materialized view``,
        ``foreign table``, ``external table`` or ``virtual table``. What belongs to the system, to a session alone
        (temporary tables), or to another table (its partitions) is left out. What this login may not read may be in
        it.

        :raises ConfigError: the configuration does not say where they are.
        """

    def tags(self, connection: Connection) -> dict[tuple[str, str], frozenset[str]] | None:
        """The tags of each table that has some, by schema and name, in one query; none where the database has no tags.

        A tag or label with a value is ``name:value``, and ``name`` besides.
        """
        return None

    @abstractmethod
    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """The data version of each table, in one query; none where it cannot be known."""

    def unreadable(self, connection: Connection, infos: Sequence[TableInfo]) -> list[TableRef]:
        """The tables that this login may not read, in one query.

        None where the catalog has only those that it may, or the database does not tell.
        """
        return []

    def why_missing(self, ref: TableRef) -> str:
        """Why :meth:`catalog` may not have found a table, and what to do."""
        return "it does not exist, or this login cannot see it; check the spelling, including upper and lower case"

    def bytes_at_most(self, info: TableInfo, settings: ConnectionSettings) -> int | None:
        """About how large a table is, or at most is; none where that is unknown."""
        return info.estimated_bytes

    def measure_bytes(self, info: TableInfo, run: Run) -> int | None:
        """How large a table is whose size the catalog does not tell; none where that would not be quick to find out."""
        return None

    def lanes(self, info: TableInfo) -> int:
        """How many connections to profile a table with."""
        return 2

    @abstractmethod
    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """Begin a transaction on each connection, all at the same moment of the data.

        :return: those that succeeded, at least the first one.
        """

    @abstractmethod
    def recover(self, connection: Connection) -> None:
        """Make the connection usable again after a refused statement, within its transaction."""

    @abstractmethod
    def limit(self, connection: Connection, seconds: float) -> None:
        """Have the server itself end the next statement after so long; a shorter limit of its own stays."""

    @abstractmethod
    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """Stop the statement that another thread runs; ``engine`` opens another connection, where that takes one."""

    def settle(self, info: TableInfo, relation: Relation, run: Run) -> Mapping[str, Kind]:
        """The kind of each :attr:`Kind.STORED` column, by looking at what is stored."""
        return {}

    def estimate_rows(self, info: TableInfo, run: Run) -> int | None:
        """About how many rows a table has now, where the catalog has an estimate."""
        return info.estimated_rows

    def distinct_estimates(self, info: TableInfo, run: Run) -> Mapping[str, float]:
        """How many distinct values the database believes columns to hold; a matter of speed alone.

        Of columns of long values only those are in it that hold mostly different ones.
        """
        return {}

    def sorting_key(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any] | None:
        """SQL for what to sort instead of a value to count distinct ones: itself, or a hash of 64 bits of it.

        None where grouping is faster even if most values differ. Two different values share a hash once in 2^64 pairs.
        """
        return value if kind in SORTS_FAST else None

    def counts_here(self, info: TableInfo, kind: Kind) -> bool:
        """Whether the distinct values of a column, as far as they are texts, are counted in this process.

        That is for a database that runs in it anyway, and where texts are equal only if they are the same.
        """
        return False

    def computed_once(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """A subquery whose expressions are computed once a row, however often they are used."""
        return query

    def bin_number(self, value: sa.ColumnElement[Any], edges: Sequence[float]) -> sa.ColumnElement[int]:
        """SQL for the number of the bin that a double lies in."""
        return bin_number(value, edges)

    def operand(self, value: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """SQL that reads a column such that its kind's arithmetic neither overflows nor rounds."""
        return value

    def average(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """SQL for the mean, NULL where that cannot be told in one pass."""
        if self.cuts_averages and kind is not Kind.FLOAT:
            return ratio(sa.func.sum(value), sa.func.count(value))
        return sa.func.avg(value)

    def length(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """SQL for the length of a text in characters."""
        return sa.func.length(value)

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int] | None:
        """SQL for a number below :data:`HASHES` by which rows of :data:`~.relation.ALIAS` are drawn.

        It is spread evenly over the rows, and the same for a row in every statement of a transaction; none where there
        is nothing by which rows can be told apart.
        """
        return None

    def partition_version(self, info: TableInfo) -> sa.ColumnElement[Any] | None:
        """SQL for an aggregate over the rows of a partition, in :data:`~.relation.ALIAS`, that makes up its version.

        With the number of rows it has to change whenever the table's own version does because of these rows; none where
        nothing does.
        """
        return None

    def code_point_order(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """SQL for a text that sorts by Unicode code points, whatever the collation of its column."""
        return value

    def approximate_distinct(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int] | None:
        """SQL for the database's own approximation of the number of distinct values, where it has one."""
        return None

    def value_hash(self, value: sa.ColumnElement[Any], column: Column, kind: Kind) -> sa.ColumnElement[int] | None:
        """SQL for a hash of some 60 bits, equal for equal values.

        Only needed where there is no :meth:`approximate_distinct`; without it distinct values are counted exactly.
        """
        return None

    def carry(self, fields: Sequence[sa.ColumnElement[Any]], rate: int, null: str) -> sa.ColumnElement[bytes] | None:
        """SQL for an aggregate that brings one row in ``rate``, where the database can.

        :param fields: whole numbers of 64 bits, and doubles.
        :param null: in hexadecimal, the eight bytes that stand for NULL.
        :return: as a string of bytes: of each row eight bytes a field, the most significant one first.
        """
        return None

    def finite(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[bool]:
        """SQL that is true for the values that have a place in minimum, maximum, mean and histogram.

        NaN is outside of any bounds, whether it is greater than every number or unlike all of them.
        """
        if kind is not Kind.TEMPORAL:
            return between(value, -MAX_DOUBLE, MAX_DOUBLE)
        # By the text, as times of day have no ISFINITE.
        return sa.cast(value, self.text).not_in(_INFINITE_TIMES) if self.infinite_times else value.is_not(None)

    def extreme(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """SQL that brings a value into a form that :meth:`temporal` and JSON can take.

        A floating-point number as the double it equals; a time as text, whatever the driver makes of times.
        """
        if kind is Kind.FLOAT:
            return as_double(value)
        return sa.cast(value, self.text) if kind is Kind.TEMPORAL else value

    def temporal(self, value: Any) -> Any:
        """A time as :meth:`extreme` gives it, as ISO 8601."""
        return iso_8601(value)

    def is_regular(self, value: Any, kind: Kind) -> bool:
        """Whether an extreme is a plain value; if not, the column holds others, and is asked again without them."""
        if kind is not Kind.TEMPORAL:
            return is_finite(value)
        return not self.infinite_times or value not in _INFINITE_TIMES

    def partition_key(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """SQL by which a partition's value is fetched, such that :meth:`partition_value` gives it back.

        As text: exact for every type, and independent of the driver.
        """
        return sa.cast(key, self.text)

    def value_spellings(self, value: Any) -> Sequence[Any]:
        """The ways in which a partition's value may be stored, where the database compares what is written."""
        return (value,)

    @abstractmethod
    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """SQL for a partition's value, of the column's type."""
