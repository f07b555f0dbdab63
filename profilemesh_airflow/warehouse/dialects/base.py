"""What a dialect has to know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.warehouse.kinds import Kind
    from profilemesh_airflow.warehouse.relation import Relation

    Run = Callable[[sa.Select[Any]], Sequence[Any]]


class Dialect(ABC):
    """One kind of database.

    ``details`` of the :class:`TableInfo` that :meth:`catalog` gives hold at least ``name`` and ``schema`` (as the
    database spells them), ``kinds`` (one :class:`Kind` a column), ``folded`` (the text columns in which values of
    different lengths may be equal) and, where its columns cannot be read, ``error``.
    """

    #: ``source.type`` in the configuration.
    name: ClassVar[str]
    #: Whether one login can read several databases.
    several_databases: ClassVar[bool] = True
    #: SQLSTATEs, and parts of messages, that mean "there is no such table".
    missing_codes: ClassVar[frozenset[str]] = frozenset()
    missing_messages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """The tables that exist, with all their columns, in one query; ``schema`` is where a bare name is looked up."""

    @abstractmethod
    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """The data version of each table, in one query; none where it cannot be known."""

    def why_missing(self, ref: TableRef) -> str:
        """Why :meth:`catalog` may not have found a table, and what to do."""
        return "it does not exist, or this login cannot see it; check the spelling, including upper and lower case"

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
    def cancel(self, driver_connection: Any) -> None:
        """Stop the statement that another thread is running."""

    def settle(self, info: TableInfo, relation: Relation, run: Run) -> Mapping[str, Kind]:
        """The kind of each :attr:`Kind.STORED` column, by looking at what is stored."""
        return {}

    def many_values(self, info: TableInfo, run: Run) -> frozenset[str]:
        """The columns that the database believes to hold mostly different values; a matter of speed alone."""
        return frozenset()

    def length(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """SQL for the length of a text in characters."""
        return sa.func.length(value)

    @abstractmethod
    def finite(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[bool]:
        """SQL that is true for the values that have a place in minimum, maximum, mean and histogram."""

    def extreme(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """SQL that brings a minimum or maximum into a form that :meth:`temporal` and JSON can take."""
        return value

    def temporal(self, value: Any) -> Any:
        """A minimum or maximum of times, as ISO 8601."""
        return value

    @abstractmethod
    def is_regular(self, value: Any, kind: Kind) -> bool:
        """Whether an extreme is a plain value; if not, the column holds others, and is asked again without them."""

    @abstractmethod
    def partition_key(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """SQL by which a partition's value is fetched, such that :meth:`partition_value` gives it back."""

    @abstractmethod
    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """SQL for a partition's value, of the column's type."""
