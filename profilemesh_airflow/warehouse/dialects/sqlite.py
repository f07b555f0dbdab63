"""SQLite 3.26 and later (table-valued pragmas and JSON functions).

What its data version can miss
------------------------------
The version is the number of rows and the greatest rowid (the number alone for a table WITHOUT ROWID). An UPDATE in
place changes neither, nor does deleting the newest row and inserting another: a table that is changed so has to be
forced. Views and virtual tables have no version: unknown, and so left to
``profile_after``. Counting reads the whole of the table's smallest index.

Locks
-----
A profile reads in one transaction. Without write-ahead logging (``PRAGMA journal_mode = WAL``) SQLite lets nobody write
to the file until it ends.

Types
-----
SQLite checks no types, so the declared one decides what a column is: a name with BOOL is a truth value, with DATE or
TIME a time, with JSON or XML a document; then SQLite's own rules of affinity apply: INT, REAL, FLOA, DOUB, NUM, DEC and
MONEY are numbers, CHAR, CLOB and TEXT texts, BLOB is not profiled. Any other name, and none at all, means what is
stored: all numbers, all texts, or else not profiled. Values of another type than the column's are counted, also as
distinct values, and have no place in minimum, maximum, mean, standard deviation and histogram.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from pathlib import Path
from random import Random
from sys import hash_info
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.warehouse.dialects.base import HASHES, Dialect
from profilemesh_airflow.warehouse.dialects.names import ascii_lower
from profilemesh_airflow.warehouse.dialects.times import spellings
from profilemesh_airflow.warehouse.errors import StatementError, is_transient
from profilemesh_airflow.warehouse.halving import ask_in_halves
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import MAX_DOUBLE, between, is_finite
from profilemesh_airflow.warehouse.relation import ALIAS
from profilemesh_airflow.warehouse.subject import HASH_BITS
from profilemesh_airflow.warehouse.witness import WITNESS, Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.warehouse.dialects.base import Run
    from profilemesh_airflow.warehouse.relation import Relation

_CATALOG = """
SELECT lower(t.name), t.name, t.type, t.sql,
    (SELECT json_group_array(json_array(name, type)) FROM pragma_table_xinfo(t.name, 'main') WHERE hidden <> 1)
FROM sqlite_master AS t
WHERE t.type IN ('table', 'view') AND lower(t.name) IN (SELECT lower(value) FROM json_each(?))
"""

#: The same for a view that does not work: SQLite cannot say which columns it has.
_BROKEN_VIEW = """
SELECT lower(name), name, type, sql, '[]' FROM sqlite_master WHERE type = 'view' AND lower(name) = lower(?)
"""

#: The one schema of a file.
_SCHEMA = "main"

#: Without SQLite's own tables, and the hidden ones of virtual tables.
_TABLES = """
WITH hidden(name) AS (
    SELECT v.name || '_' || suffix.value
    FROM sqlite_master AS v, json_each(?) AS suffix
    WHERE v.type = 'table' AND upper(v.sql) LIKE 'CREATE VIRTUAL%'
)
SELECT name, type, sql FROM sqlite_master
WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' AND name NOT IN (SELECT name FROM hidden)
"""

#: What the hidden tables of full-text search and R*Tree tables are called by, after the virtual table's name.
_HIDDEN = json.dumps(
    ["config", "content", "data", "docsize", "idx", "node", "parent", "rowid", "segdir", "segments", "stat"]
)

#: Tables in one statement: it keeps a cursor for each open, and looks through all of them to open or close one. Of
#: 10,000 tables that takes 1 s, and 0.15 in forty statements.
_MOST_OPEN = 250

_SUBQUERY = "(SELECT {} FROM main.{})"
_ROWID_NAMES = ("rowid", "_rowid_", "oid")

log = logging.getLogger(__name__)

#: By parts of the declared type, in this order.
_KIND_OF_DECLARED = (
    (("BOOL",), Kind.BOOLEAN),
    (("DATE", "TIME"), Kind.TEMPORAL),
    (("JSON", "XML"), Kind.NONE),
    (("UUID", "GUID", "ENUM"), Kind.OPAQUE),
    (("INT",), Kind.NUMBER),
    (("CHAR", "CLOB", "TEXT"), Kind.TEXT),
    (("BLOB", "BYTEA", "BINARY"), Kind.NONE),
    (("REAL", "FLOA", "DOUB", "NUM", "DEC", "MONEY"), Kind.NUMBER),
)

#: By the classes of values stored: (numbers, texts, others).
_KIND_OF_STORED = {
    (0, 0, 0): Kind.OPAQUE,
    (1, 0, 0): Kind.NUMBER,
    (0, 1, 0): Kind.TEXT,
}

_STORED_AS_TEXT = frozenset({Kind.TEXT, Kind.TEMPORAL, Kind.OPAQUE})

_SNAPSHOT_TRIES = 5


class SQLiteDialect(Dialect):
    """SQLite: one file, one schema; names are matched without regard to the case of ASCII letters, as it does."""

    name = "sqlite"
    several_databases = False
    missing_messages = ("no such table",)
    counts_few = True

    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """One query; a view that does not work is found by asking again for fewer tables at a time."""
        here = [ref for ref in refs if not ref.database and ascii_lower(ref.schema or _SCHEMA) == _SCHEMA]
        found: dict[str, Mapping[str, Any]] = {}

        def ask(tables: Sequence[str]) -> None:
            with _refusals():
                rows = connection.exec_driver_sql(_CATALOG, (json.dumps(tables),)).all()
            found.update((row[0], _described(row)) for row in rows)

        def give_up(table: str, error: StatementError) -> None:
            rows = connection.exec_driver_sql(_BROKEN_VIEW, (table,))
            found.update((row[0], _described(row, str(error))) for row in rows)

        ask_in_halves([ref.table for ref in here], ask, StatementError, give_up)
        described = ((ref, found.get(ascii_lower(ref.table))) for ref in here)
        return {ref: TableInfo(ref, **what) for ref, what in described if what is not None}

    def tables(self, connection: Connection) -> list[tuple[str, str, str]]:
        """All are in the schema ``main``."""
        rows = connection.exec_driver_sql(_TABLES, (_HIDDEN,))
        return [(_SCHEMA, table, _relation_kind(kind, sql or "")) for table, kind, sql in rows]

    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """One statement for every 250 tables; a table that cannot be read is found by asking for fewer at a time."""
        texts: dict[TableRef, str | None] = dict.fromkeys((info.ref for info in infos), None)
        quote = connection.dialect.identifier_preparer.quote_identifier

        def ask(asked: Sequence[TableInfo]) -> None:
            counts = (f"({number}, {_counts(info, quote)})" for number, info in enumerate(asked))
            with _refusals():
                rows = connection.exec_driver_sql(f"VALUES {', '.join(counts)}").all()
            texts.update((asked[number].ref, _version(asked[number], *row)) for number, *row in rows)

        def give_up(info: TableInfo, error: StatementError) -> None:
            log.warning("data version of %s is unknown: %s", info.ref, error)

        countable = [info for info in infos if info.details["countable"]]
        for at in range(0, len(countable), _MOST_OPEN):
            ask_in_halves(countable[at : at + _MOST_OPEN], ask, StatementError, give_up)
        return texts

    def why_missing(self, ref: TableRef) -> str:
        """A file holds one database, and that has one schema."""
        if ref.database:
            return "an SQLite file is one database: remove `database`"
        if ref.schema and ascii_lower(ref.schema) != _SCHEMA:
            return "an SQLite file has no schemas: remove `schema`"
        return "it does not exist in this file; check the spelling"

    def counts_here(self, info: TableInfo, kind: Kind) -> bool:
        """What mostly is stored as text, unless it has, or a view may give it, a collation of its own."""
        return kind in _STORED_AS_TEXT and not info.details["collated"] and hash_info.width >= HASH_BITS

    def bytes_at_most(self, info: TableInfo, settings: ConnectionSettings) -> int | None:
        """No larger than the file."""
        file = Path(settings.filepath or "").expanduser()
        return file.stat().st_size if file.is_file() else None

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """Two connections see the same moment if nothing was committed between the beginnings of their transactions.

        The last one finds out: its ``data_version`` is read before the first one begins and after it has begun itself.
        """
        first, *others = connections
        witness = Witness(first.engine)
        for connection in connections:
            connection.info[WITNESS] = witness
        for _ in range(_SNAPSHOT_TRIES if others else 0):
            witness.look()
            before = [_data_version(other) for other in others]
            for other in others:
                other.rollback()
            _data_version(first)
            if before == [_data_version(other) for other in others]:
                return connections
            for connection in connections:
                connection.rollback()
        return [first]

    def recover(self, connection: Connection) -> None:
        """Nothing to do: a refused statement leaves the transaction as it was."""

    def limit(self, connection: Connection, seconds: float) -> None:
        """Nothing to do: a statement runs in this process, and ends with it."""

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """Interrupt the running statement."""
        driver_connection.interrupt()

    def settle(self, info: TableInfo, relation: Relation, run: Run) -> Mapping[str, Kind]:
        """One scan looks at the storage class of every value of the columns whose type says nothing."""
        names = [
            column.name for column, kind in zip(info.columns, info.details["kinds"], strict=True) if kind is Kind.STORED
        ]
        if not names:
            return {}
        (row,) = run(relation.select(*(expression for name in names for expression in _classes(relation.column(name)))))
        stored = [(row[at] or 0, row[at + 1] or 0, row[at + 2] or 0) for at in range(0, len(row), 3)]
        return {name: _KIND_OF_STORED.get(classes, Kind.NONE) for name, classes in zip(names, stored, strict=True)}

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int] | None:
        """By the rowid, which a WITHOUT ROWID table, a view and a virtual table do not have.

        A polynomial of degree 2 over a prime field with random coefficients, so that any three rows are drawn
        independently (Wegman, Carter 1981, "New Hash Functions and Their Use in Authentication and Set Equality").
        Nothing in it exceeds 63 bits.
        """
        rowid = info.details["rowid"]
        if rowid is None or not info.details["countable"]:
            return None
        random = Random(seed)
        square, linear, constant = random.randrange(1, 2**30), random.randrange(2**30), random.randrange(HASHES)
        x = f"(({ALIAS}.{rowid} & {2**62 - 1}) % {HASHES})"
        return sa.literal_column(
            f"((({x} * {x}) % {HASHES}) * {square} + {x} * {linear} + {constant}) % {HASHES}", sa.BigInteger()
        )

    def partition_version(self, info: TableInfo) -> sa.ColumnElement[Any] | None:
        """The greatest rowid, as for a table."""
        rowid = info.details["rowid"]
        return None if rowid is None or not info.details["countable"] else sa.literal_column(f"max({ALIAS}.{rowid})")

    def computed_once(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """With a limit that is none, as a subquery without one would be merged into the outer query."""
        return query.limit(-1)

    def code_point_order(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """By bytes of UTF-8, which is the same; texts alone, as bytes would be greater than every text."""
        return sa.collate(sa.case((sa.func.typeof(value) == sa.literal("text"), value)), "BINARY")

    def finite(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[bool]:
        """Numbers (and for times texts too) that are not infinite; SQLite stores NaN as NULL."""
        is_number = sa.func.typeof(value).in_(_literals("integer", "real"))
        number = sa.and_(is_number, between(value, -MAX_DOUBLE, MAX_DOUBLE))
        if kind is Kind.TEMPORAL:
            return sa.or_(sa.func.typeof(value) == sa.literal("text"), number)
        return number

    def extreme(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """As it is stored, whatever that is."""
        return value

    def temporal(self, value: Any) -> Any:
        """SQLite's own text form has a blank where ISO 8601 has a T; a time stored as a number stays a number."""
        if isinstance(value, str) and value[10:11] == " ":
            return f"{value[:10]}T{value[11:]}"
        return value

    def is_regular(self, value: Any, kind: Kind) -> bool:
        """A finite number, or a text where times are stored."""
        return is_finite(value) or (kind is Kind.TEMPORAL and isinstance(value, str))

    def partition_key(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """As it is stored."""
        return key

    def value_spellings(self, value: Any) -> Sequence[Any]:
        """A date and time is stored as text, in one of several spellings."""
        if isinstance(value, date):
            value = value.isoformat()
        return spellings(value) if isinstance(value, str) else (value,)

    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """As it is stored."""
        return sa.literal(value)


@contextmanager
def _refusals() -> Iterator[None]:
    """A refused statement as such; what passes, as a lock, says nothing of the tables asked for and stays as it is."""
    try:
        yield
    except DBAPIError as error:
        if is_transient(error):
            raise
        raise StatementError(str(error.orig)) from error


def _described(row: Sequence[Any], error: str | None = None) -> Mapping[str, Any]:
    """What there is to say of a table but how it is referred to."""
    _, name, relation_kind, sql, described = row
    kind = _relation_kind(relation_kind, sql or "")
    columns, kinds, rowid = _shape(described)
    words = (sql or "").upper()
    options = words.rpartition(")")[2]
    details = {
        "name": name,
        "schema": None,
        "kinds": kinds,
        "folded": frozenset(column.name for column in columns) if "RTRIM" in words else frozenset(),
        "collated": kind != "table" or "COLLATE" in words,
        "countable": kind == "table",
        "rowid": None if "WITHOUT" in options else rowid,
    }
    return {"columns": columns, "kind": kind, "details": details if error is None else {**details, "error": error}}


@lru_cache(256)
def _shape(described: str) -> tuple[tuple[Column, ...], tuple[Kind, ...], str | None]:
    """Columns by names and types, their kinds, and the name of the rowid: of many tables they are the same.

    :param described: JSON, an array of names and types.
    """
    columns = tuple(Column(name, declared) for name, declared in json.loads(described))
    return columns, tuple(_kind(column.type) for column in columns), _rowid_name(columns)


def _relation_kind(kind: str, sql: str) -> str:
    return "virtual table" if sql[:14].upper() == "CREATE VIRTUAL" else kind


def _rowid_name(columns: Sequence[Column]) -> str | None:
    """A name of the rowid that no column hides."""
    taken = {ascii_lower(column.name) for column in columns}
    return next((name for name in _ROWID_NAMES if name not in taken), None)


@lru_cache(1024)
def _kind(declared: str) -> Kind:
    declared = declared.upper()
    for parts, kind in _KIND_OF_DECLARED:
        if any(part in declared for part in parts):
            return kind
    return Kind.STORED


def _counts(info: TableInfo, quote: Callable[[str], str]) -> str:
    """Number of rows and greatest rowid, as subqueries of their own: SQLite answers the second from the index's end."""
    table, rowid = quote(info.details["name"]), info.details["rowid"]
    greatest = "NULL" if rowid is None else _SUBQUERY.format(f"max({rowid})", table)
    return f"{_SUBQUERY.format('count(*)', table)}, {greatest}"


def _version(info: TableInfo, rows: int, rowid: int | None) -> str:
    return f"rows={rows}" if info.details["rowid"] is None else f"rows={rows} max_rowid={rowid or 0}"


def _data_version(connection: Connection) -> int:
    """Changes when another connection has committed; asking begins the transaction's view of the data."""
    version: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return version


def _classes(value: sa.ColumnElement[Any]) -> Sequence[sa.ColumnElement[Any]]:
    """Whether there are numbers, texts and others among the values."""
    storage = sa.func.typeof(value)
    return tuple(
        sa.func.max(condition)
        for condition in (
            storage.in_(_literals("integer", "real")),
            storage == sa.literal("text"),
            storage == sa.literal("blob"),
        )
    )


def _literals(*texts: str) -> list[sa.ColumnElement[str]]:
    return [sa.literal(text) for text in texts]
