"""DuckDB 1.1 and later: one file, opened for reading only.

What its data version can miss
------------------------------
The version is the state of the file and of its write-ahead log: size and time of change. It is one for all tables of
the file, so that a change of any of them moves them all: give large tables a `watermark` or a `version_query`. It moves
without a change where the file is copied or touched, or its log is written back. Two changes that leave the same size
within one tick of the file system's clock (some milliseconds) count as one. Views are unknown, as they may read other
files, and so left to ``profile_after``.

Who else may open the file
--------------------------
Any number of programs that read it, or one that writes and nobody else: while another process has it open for writing
a profile is tried again later, and while a profile runs nobody can open it for writing. A process that has it open for
writing itself cannot read it through here at the same time.

One moment
----------
Nobody can write while the file is open here, so that all statements of a profile see the same data.

Types
-----
All numbers but UHUGEINT and BIGNUM, which are counted only. Lists, structures, maps, unions, JSON, bytes and shapes are
not profiled. Times with a time zone are given in UTC.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.core.selection import tags_in_comment
from profilemesh_airflow.warehouse.dialects.base import HASHES, Dialect
from profilemesh_airflow.warehouse.dialects.names import NamedType, ascii_lower, can_exist, columns_of
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.relation import ALIAS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.table import TableRef

_CATALOG = """
SELECT c.schema_name, c.table_name, s.estimated_size, c.column_name, c.data_type
FROM duckdb_columns() AS c
LEFT JOIN duckdb_tables() AS s ON s.database_oid = c.database_oid AND s.table_oid = c.table_oid
WHERE c.database_name = current_database()
    AND lower(c.table_name) IN (SELECT lower(unnest(from_json($1, '["VARCHAR"]'))))
ORDER BY c.column_index
"""

_TABLES = """
SELECT schema_name, table_name, 'table' FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal AND NOT temporary
UNION ALL
SELECT schema_name, view_name, 'view' FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal AND NOT temporary
"""

_COMMENTS = """
SELECT schema_name, table_name, comment FROM duckdb_tables()
WHERE database_name = current_database() AND comment IS NOT NULL
UNION ALL
SELECT schema_name, view_name, comment FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal AND comment IS NOT NULL
"""

_FILE = """
SELECT d.path, s.schema_name, s.table_name
FROM duckdb_databases() AS d JOIN duckdb_tables() AS s ON s.database_oid = d.database_oid
WHERE d.database_name = current_database()
"""

_KIND_OF_TYPE = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), Kind.INTEGER),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "DECIMAL"), Kind.DECIMAL),
    **dict.fromkeys(("FLOAT", "DOUBLE"), Kind.FLOAT),
    "VARCHAR": Kind.TEXT,
    "BOOLEAN": Kind.BOOLEAN,
    **dict.fromkeys(("DATE", "TIME", "TIME_NS", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), Kind.TEMPORAL),
    **dict.fromkeys(("TIMESTAMP_NS", "TIME WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"), Kind.TEMPORAL),
    **dict.fromkeys(("ENUM", "UUID", "INTERVAL", "BIT", "UHUGEINT", "BIGNUM"), Kind.OPAQUE),
}
_PARAMETERS = re.compile(r"\(.*", re.DOTALL)


class DuckDBDialect(Dialect):
    """DuckDB: its own table functions, one connection that uses all cores; names in any case of ASCII letters."""

    name = "duckdb"
    random = "random()"
    several_databases = False
    digits = 38
    infinite_times = True
    missing_messages = ("Table with name",)

    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """One query on DuckDB's own functions: SQLAlchemy's reflection does not work with every version of it."""
        wanted = {
            ref: _spelling(ref.schema or schema or "main", ref.table)
            for ref in refs
            if can_exist(ref) and not ref.database
        }
        rows = connection.exec_driver_sql(_CATALOG, (json.dumps([ref.table for ref in wanted]),))
        found: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in rows:
            found[_spelling(row[0], row[1])].append(row)
        return {ref: _info(ref, found[name]) for ref, name in wanted.items() if name in found}

    def tables(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Of all schemas of the file."""
        return [(schema, table, kind) for schema, table, kind in connection.exec_driver_sql(_TABLES)]

    def tags(self, connection: Connection) -> dict[tuple[str, str], frozenset[str]]:
        """In the comments of tables and views."""
        rows = connection.exec_driver_sql(_COMMENTS)
        return {(schema, table): tags_in_comment(comment) for schema, table, comment in rows}

    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """The state of the file: nobody can write to it while it is open here."""
        rows = connection.exec_driver_sql(_FILE).all()
        version = _state(Path(rows[0][0])) if rows else None
        tables = {(row[1], row[2]) for row in rows}
        here = {info.ref: (info.details["schema"], info.details["name"]) in tables for info in infos}
        return {ref: version if is_here else None for ref, is_here in here.items()}

    def why_missing(self, ref: TableRef) -> str:
        """A file is one database."""
        if ref.database:
            return "a DuckDB file is one database: remove `database`"
        return super().why_missing(ref)

    def lanes(self, info: TableInfo) -> int:
        """One: a statement uses all cores."""
        return 1

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """Nobody can write while the file is open."""
        first = connections[0]
        first.exec_driver_sql("SET TimeZone = 'UTC'")
        return [first]

    def recover(self, connection: Connection) -> None:
        """A new transaction: it sees the same data, as nobody can write meanwhile."""
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN")

    def limit(self, connection: Connection, seconds: float) -> None:
        """Nothing to do: a statement runs in this process, and ends with it."""

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """Interrupt the running statement."""
        driver_connection.interrupt()

    def operand(self, value: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """An unsigned number of 64 bits in 128: it has no place among signed ones, and cannot become negative."""
        return sa.cast(value, NamedType("HUGEINT")) if column.type == "UBIGINT" else value

    def approximate_distinct(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """By HyperLogLog."""
        return sa.func.approx_count_distinct(value)

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int]:
        """By a row's place; of a view by its contents, so that equal rows are drawn together."""
        rowid: list[sa.ColumnElement[Any]] = [sa.literal_column(f"{ALIAS}.rowid")]
        values = rowid if info.kind == "table" else [column for column, _ in columns_of(info)]
        return _hash(*values, sa.literal_column(str(seed)))

    def partition_version(self, info: TableInfo) -> sa.ColumnElement[Any] | None:
        """Of the contents of the rows, as nothing tells which of them are new: it reads all columns."""
        if info.kind != "table":
            return None
        return sa.func.sum(_hash(*(column for column, _ in columns_of(info))))

    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """The text, cast to the column's type."""
        return sa.cast(sa.literal(str(value), sa.Text()), NamedType(column.type))


def _hash(*values: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    hashed: Any = sa.func.hash(*values)
    return sa.cast(sa.func.mod(hashed, sa.literal_column(str(HASHES))), sa.BigInteger())


def _spelling(schema: str, table: str) -> tuple[str, str]:
    return ascii_lower(schema), ascii_lower(table)


def _info(ref: TableRef, rows: Sequence[Any]) -> TableInfo:
    schema, name, rows_estimate = rows[0][:3]
    return TableInfo(
        ref=ref,
        columns=tuple(Column(row[3], row[4]) for row in rows),
        kind="view" if rows_estimate is None else "table",
        estimated_rows=rows_estimate,
        details={
            "name": name,
            "schema": schema,
            "kinds": tuple(_kind(row[4]) for row in rows),
            "folded": frozenset(),
        },
    )


def _kind(declared: str) -> Kind:
    if declared.endswith("]"):
        return Kind.NONE
    return _KIND_OF_TYPE.get(_PARAMETERS.sub("", declared), Kind.NONE)


def _state(path: Path) -> str:
    """Size and time of change of the file and, where there is one, of its write-ahead log."""
    log = path.with_name(f"{path.name}.wal")
    parts = [_size_and_time("file", path)]
    if log.exists():
        parts.append(_size_and_time("log", log))
    return " ".join(parts)


def _size_and_time(name: str, path: Path) -> str:
    state = path.stat()
    changed = datetime.fromtimestamp(state.st_mtime_ns // 10**9, timezone.utc)
    return f"{name}={state.st_size}@{changed:%Y-%m-%dT%H:%M:%S}.{state.st_mtime_ns % 10**9:09d}Z"
