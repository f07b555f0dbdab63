"""MySQL 5.7 and later, MariaDB 10.3 and later. A schema is what they call a database.

What its data version can miss
------------------------------
The version is when the server last saw the table change (``update_time``, in whole seconds), when it was made or
rebuilt, and the next automatic number.

- The server's clock being set back may hide a change. Nothing else does: while the last change is younger than three
  seconds the version says so, and is another one afterwards, so that a second change within the same second is seen;
  that may be one profile more than needed.
- A rolled-back insert and a rebuilding ALTER TABLE or OPTIMIZE TABLE are one profile more than needed.
- Unknown, and so left to ``profile_after``: InnoDB tables that nobody has written to since the server started or since
  they were dropped from its cache of tables (a cache too small for the tables makes that happen at any time), which
  includes those just made or truncated; views; tables in memory, and those of engines that keep no such time.

One moment
----------
A profile reads on one connection in one transaction with a consistent snapshot. That holds for InnoDB; tables of an
engine without transactions (MyISAM, Aria) may change between two statements of a profile.

Types
-----
``tinyint(1)``, which BOOLEAN is another word for, holds truth values. ``timestamp`` is read in UTC. Texts are told
apart as their collation does it: under most of them ``'a'``, ``'A'`` and ``'a '`` are one value.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.core.selection import tags_in_comment
from profilemesh_airflow.exceptions import ProfileError
from profilemesh_airflow.warehouse.dialects.base import HASHES, Dialect
from profilemesh_airflow.warehouse.dialects.names import can_exist, columns_of
from profilemesh_airflow.warehouse.double import as_double
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.table import TableRef

#: Tables first, then their columns: no join, for which the server would read its catalog once per table.
_CATALOG = sa.text("""
SELECT table_schema, table_name, table_type, engine, table_rows, data_length,
    CAST(unix_timestamp(update_time) AS char), 0 AS position
FROM information_schema.tables WHERE table_schema IN :schemas AND table_name IN :tables
UNION ALL
SELECT table_schema, table_name, column_name, column_type, data_type, character_set_name, collation_name,
    ordinal_position
FROM information_schema.columns WHERE table_schema IN :schemas AND table_name IN :tables
ORDER BY position
""").bindparams(sa.bindparam("schemas", expanding=True), sa.bindparam("tables", expanding=True))

_TABLES = """
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
    AND table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
"""

_COMMENTS = """
SELECT table_schema, table_name, table_comment FROM information_schema.tables
WHERE table_type <> 'VIEW' AND table_comment <> ''
"""

_VERSIONS = sa.text("""
SELECT table_schema, table_name, CAST(update_time AS char), CAST(create_time AS char), auto_increment,
    timestampdiff(SECOND, update_time, now()) < 3, CAST(now(6) AS char)
FROM information_schema.tables
WHERE table_schema IN :schemas AND table_name IN :tables AND update_time IS NOT NULL
""").bindparams(sa.bindparam("schemas", expanding=True), sa.bindparam("tables", expanding=True))

_HERE = "SELECT database(), @@lower_case_table_names"

#: The session's own limit is remembered, so that a later one of ours does not lengthen it.
_LIMITS = {
    True: "SET max_statement_time = least({0}, coalesce(nullif(@profilemesh_limit, 0), {0}))",
    False: "SET max_execution_time = least({0}, coalesce(nullif(@profilemesh_limit, 0), {0}))",
}
_OWN_LIMIT = {
    True: "SET @profilemesh_limit = coalesce(@profilemesh_limit, @@max_statement_time)",
    False: "SET @profilemesh_limit = coalesce(@profilemesh_limit, @@max_execution_time)",
}
_LONGEST_LIMIT = 30_000_000

#: Beyond it a sum of doubles might overflow, of which the server makes 0.
_SUMMABLE = 1e290

_TABLE_KINDS = {"BASE TABLE": "table", "SYSTEM VERSIONED": "table", "SYSTEM VIEW": "view"}

_KIND_OF_TYPE = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), Kind.INTEGER),
    "decimal": Kind.DECIMAL,
    **dict.fromkeys(("float", "double"), Kind.FLOAT),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Kind.TEXT),
    **dict.fromkeys(("date", "datetime", "timestamp", "time"), Kind.TEMPORAL),
    **dict.fromkeys(("enum", "set", "bit", "uuid", "inet4", "inet6"), Kind.OPAQUE),
}

#: Collations under which only equal texts are equal: by code points, trailing blanks included.
_EXACT_COLLATION = re.compile(r"(nopad|0900)_bin$")

_TEXT = re.compile(r"char|text|enum|set", re.IGNORECASE)
_NUMBER = re.compile(r"(tiny|small|medium|big)?int|decimal|float|double|year", re.IGNORECASE)
_WIDE = re.compile(r"bigint.* unsigned", re.IGNORECASE)


class MySQLDialect(Dialect):
    """MySQL and MariaDB: information_schema, one consistent snapshot."""

    name = "mysql"
    random = "rand()"
    several_databases = False
    digits = 65
    cuts_averages = True
    text = sa.CHAR()
    missing_codes = frozenset({"1146", "1049"})

    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """One query on ``information_schema``; names are compared here, as the server compares them by its own rule."""
        here, folds = connection.exec_driver_sql(_HERE).one()
        wanted = {
            ref: (_schema(ref) or schema or here, ref.table) for ref in refs if can_exist(ref) and _means_one_place(ref)
        }
        found: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in _ask(connection, _CATALOG, wanted.values()):
            found[_spelling(row[:2], folds)].append(row)
        spelled = ((ref, found.get(_spelling(name, folds))) for ref, name in wanted.items())
        return {ref: _info(ref, rows) for ref, rows in spelled if rows}

    def tables(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Of all databases that this login may see."""
        rows = connection.exec_driver_sql(_TABLES)
        return [(schema, table, _table_kind(kind)) for schema, table, kind in rows]

    def tags(self, connection: Connection) -> dict[tuple[str, str], frozenset[str]]:
        """In the comments of tables."""
        rows = connection.exec_driver_sql(_COMMENTS)
        return {(schema, table): tags_in_comment(comment) for schema, table, comment in rows}

    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """Of the tables whose last change the server knows."""
        names = {info.ref: (info.details["schema"], info.details["name"]) for info in infos}
        rows = _ask(connection, _VERSIONS, names.values())
        versions = {(row[0], row[1]): _version(*row[2:]) for row in rows}
        return {ref: versions.get(name) for ref, name in names.items()}

    def why_missing(self, ref: TableRef) -> str:
        """Schema and database are one."""
        if ref.database and ref.schema and ref.database != ref.schema:
            return "MySQL and MariaDB have no schemas within a database: give `schema` or `database`, not both"
        return super().why_missing(ref)

    def lanes(self, info: TableInfo) -> int:
        """One: two transactions cannot share a snapshot."""
        return 1

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """The transaction begins with a consistent snapshot; see :mod:`profilemesh_airflow.warehouse.engine`."""
        first = connections[0]
        first.exec_driver_sql(_OWN_LIMIT[_is_mariadb(first)])
        return [first]

    def recover(self, connection: Connection) -> None:
        """Nothing to do: a refused statement leaves the transaction as it was."""

    def limit(self, connection: Connection, seconds: float) -> None:
        """By ``max_statement_time`` (MariaDB, seconds) or ``max_execution_time`` (MySQL, milliseconds)."""
        is_mariadb = _is_mariadb(connection)
        bounded = min(seconds, _LONGEST_LIMIT / 1000)
        connection.exec_driver_sql(_LIMITS[is_mariadb].format(bounded if is_mariadb else math.ceil(bounded * 1000)))

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """By another connection: this one is busy."""
        with engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {driver_connection.thread_id()}")

    def operand(self, value: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """An unsigned ``bigint`` as a decimal: it has no place among signed ones, and cannot become negative."""
        return sa.cast(value, sa.Numeric(20, 0)) if _WIDE.match(column.type) else value

    def average(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """Of doubles only where their sum cannot overflow."""
        if kind is Kind.FLOAT:
            return sa.case((sa.func.max(sa.func.abs(value)) < sa.literal(_SUMMABLE), sa.func.avg(value)))
        return super().average(value, kind)

    def length(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """In characters; ``length`` would count bytes."""
        return sa.func.char_length(value)

    def code_point_order(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The collation by code points to which trailing blanks count."""
        return _by_code_points(value)

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int]:
        """By a row's contents, so that equal rows are drawn together: a row has no address here."""
        values = [_text_of(column, kind) for column, kind in columns_of(info)]
        row = sa.func.concat_ws(sa.literal_column("','"), sa.literal_column(str(seed)), *values)
        return sa.func.mod(_hash(row), sa.literal_column(str(HASHES)), type_=sa.BigInteger())

    def partition_version(self, info: TableInfo) -> sa.ColumnElement[Any] | None:
        """Of the contents of the rows, as nothing tells which of them are new: it reads all columns."""
        return sa.func.sum(self.row_hash(info, 0)) if info.kind == "table" else None

    def value_hash(self, value: sa.ColumnElement[Any], column: Column, kind: Kind) -> sa.ColumnElement[int]:
        """Of what a text is compared by under its collation, without the trailing blanks that most of them ignore."""
        if kind is Kind.TEXT:
            return _hash(sa.func.weight_string(sa.func.rtrim(value)))
        # Adding zero makes 0 of -0, which equals it.
        return _hash(_spelled(as_double(value) if kind is Kind.FLOAT else value, kind))

    def finite(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[bool]:
        """Every value: there is neither NaN nor infinity."""
        return value.is_not(None)

    def is_regular(self, value: Any, kind: Kind) -> bool:
        """Always."""
        return True

    def partition_key(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """As it is stored; a time comes back as such, and a ``double`` exactly."""
        return key

    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """As it is, for the server to compare; but a text is no number, lest ``'5 apples'`` equal 5, or ``'?'`` 0."""
        if _TEXT.search(column.type):
            return sa.literal(str(value))
        if isinstance(value, str) and _NUMBER.match(column.type) and not _is_number(value):
            raise ProfileError(
                f"{value!r} is no value of the partition key {column.name!r}, which is of type {column.type}; "
                "correct `partition.values`"
            )
        return sa.literal(value)


def _is_number(text: str) -> bool:
    try:
        Decimal(text)
    except InvalidOperation:
        return False
    return True


def _text_of(column: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[str]:
    """The value as a literal, so that no two rows have the same list of them."""
    return sa.func.quote(_spelled(column, kind))


def _spelled(value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[str]:
    """As text; bits and bytes in hexadecimal digits, as they may be no text in any character set."""
    return sa.func.hex(value) if kind in (Kind.NONE, Kind.OPAQUE) else sa.cast(value, sa.CHAR())


def _hash(text: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """60 bits of a digest; CRC32, the other hash that there is, has too few values to count distinct ones by."""
    return sa.cast(sa.func.conv(sa.func.left(sa.func.md5(text), 15), 16, 10), sa.BigInteger())


def _is_mariadb(connection: Connection) -> bool:
    return bool(getattr(connection.dialect, "is_mariadb", False))


class _by_code_points(FunctionElement):  # type: ignore[type-arg]  # SQLAlchemy 1.4 has no argument for it
    """A text under a collation without padding, of which each of the two servers has its own."""

    type = sa.Text()
    inherit_cache = True


@compiles(_by_code_points)
def _compile(element: Any, compiler: Any, **arguments: Any) -> str:
    (value,) = element.clauses
    collation = "utf8mb4_nopad_bin" if getattr(compiler.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    return f"(CONVERT({compiler.process(value, **arguments)} USING utf8mb4) COLLATE {collation})"


def _ask(connection: Connection, statement: Any, names: Iterable[tuple[str | None, str]]) -> Sequence[Any]:
    schemas, tables = zip(*names, strict=True) if names else ((), ())
    known = sorted({schema for schema in schemas if schema})
    if not known:
        return []
    return connection.execute(statement, {"schemas": known, "tables": sorted(set(tables))}).all()


def _schema(ref: TableRef) -> str | None:
    return ref.schema or ref.database


def _means_one_place(ref: TableRef) -> bool:
    return not ref.schema or not ref.database or ref.schema == ref.database


def _spelling(name: Sequence[str | None], folds: int) -> tuple[str, str]:
    schema, table = (part or "" for part in name)
    return (schema.lower(), table.lower()) if folds else (schema, table)


def _info(ref: TableRef, rows: Sequence[Any]) -> TableInfo:
    schema, name, table_type, _, rows_estimate, size, modified = rows[0][:7]
    columns = [row[2:7] for row in rows[1:]]
    details = {
        "name": name,
        "schema": schema,
        "modified": None if modified is None else float(modified),
        "kinds": tuple(_kind(column[1], column[2]) for column in columns),
        "folded": frozenset(column[0] for column in columns if column[4] and not _EXACT_COLLATION.search(column[4])),
    }
    if not columns:
        details["error"] = "the server cannot say which columns it has; does the view still work?"
    return TableInfo(
        ref=ref,
        columns=tuple(Column(column[0], column[1]) for column in columns),
        kind=_table_kind(table_type),
        estimated_rows=None if rows_estimate is None else int(rows_estimate),
        estimated_bytes=None if size is None else int(size),
        details=details,
    )


def _table_kind(table_type: str) -> str:
    return _TABLE_KINDS.get(table_type, table_type.lower())


def _kind(column_type: str, data_type: str) -> Kind:
    if column_type.lower().startswith("tinyint(1)"):
        return Kind.BOOLEAN
    return Kind.DECIMAL if _WIDE.match(column_type) else _KIND_OF_TYPE.get(data_type.lower(), Kind.NONE)


def _version(updated: str, created: str, automatic: int | None, young: int, now: str) -> str:
    text = f"updated={updated} created={created}"
    if automatic is not None:
        text += f" auto_increment={automatic}"
    return f"{text} at={now}" if young else text
