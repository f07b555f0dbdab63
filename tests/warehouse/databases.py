"""A database to profile, the same to a test whichever it is; filled without the code under test."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg2
import pymysql
from psycopg2.extras import execute_values

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.warehouse import Means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.profile import ColumnProfile, TableProfile
    from profilemesh_airflow.warehouse import Warehouse

#: What each database calls the types that all have.
TYPES = {
    "sqlite": {
        "integer": "INTEGER",
        "double": "REAL",
        "decimal": "NUMERIC",
        "text": "TEXT",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    },
    "postgres": {
        "integer": "bigint",
        "double": "double precision",
        "decimal": "numeric",
        "text": "text",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "timestamp",
    },
    "mysql": {
        "integer": "bigint",
        "double": "double",
        "decimal": "decimal(65,30)",
        "text": "longtext",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "datetime(6)",
    },
    "duckdb": {
        "integer": "BIGINT",
        "double": "DOUBLE",
        "decimal": "DECIMAL(38,10)",
        "text": "VARCHAR",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    },
}


def quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


@dataclass(frozen=True)
class Database:
    """One SQLite file or one PostgreSQL schema, with a reader of it."""

    settings: ConnectionSettings
    warehouse: Warehouse
    means: ClassVar[Means] = Means("sql")

    @property
    def kind(self) -> str:
        return self.settings.type

    def connect(self) -> Any:
        """A connection of the driver's own, which may write."""
        return closing(_OPENERS[self.kind](self.settings))

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return list(cursor.fetchall())

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]] = ()) -> None:
        """A table; a type is a key of :data:`TYPES`, or the database's own spelling."""
        spelled = (f"{quoted(name)} {TYPES[self.kind].get(kind, kind)}" for name, kind in columns.items())
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
            cursor.execute(f"CREATE TABLE {quoted(table)} ({', '.join(spelled)})")
            self._insert(cursor, table, len(columns), rows)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        with self.connect() as connection:
            self._insert(connection.cursor(), table, len(rows[0]), rows)

    def _insert(self, cursor: Any, table: str, width: int, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        into = f"INSERT INTO {quoted(table)} VALUES"
        if self.kind == "postgres":
            execute_values(cursor, f"{into.replace('%', '%%')} %s", rows, page_size=5000)
            return
        mark = "%s" if self.kind == "mysql" else "?"
        into = into.replace("%", "%%") if self.kind == "mysql" else into
        cursor.execute("BEGIN")
        cursor.executemany(f"{into} ({', '.join([mark] * width)})", rows)
        cursor.execute("COMMIT")

    def copy(self, table: str, csv: str) -> None:
        """Many rows, fast, into a table of PostgreSQL or DuckDB; an empty field is NULL."""
        with self.connect() as connection:
            if self.kind == "postgres":
                connection.cursor().copy_expert(f"COPY {quoted(table)} FROM STDIN CSV", io.StringIO(csv))
                return
            file = Path(f"{self.settings.filepath}.csv")
            file.write_text(csv)
            connection.execute(f"COPY {quoted(table)} FROM '{file}' (HEADER false)")

    def info(self, table: str) -> TableInfo:
        ref = TableRef(table)
        return self.warehouse.catalog([ref])[ref]

    def profile(self, table: str, **settings: Any) -> TableProfile:
        return self.warehouse.profile(self.info(table), TableSettings(**settings), None, self.means)

    def column(self, table: str, name: str, **settings: Any) -> ColumnProfile:
        """The profile of one column, which must have worked."""
        profile = next(column for column in self.profile(table, **settings).columns if column.name == name)
        assert profile.errors == {}
        return profile

    def column_of(self, kind: str, values: Sequence[Any], **settings: Any) -> ColumnProfile:
        """The profile of one column of a new table with these values."""
        self.create("values_of_one_column", {"v": kind}, [(value,) for value in values])
        return self.column("values_of_one_column", "v", **settings)

    def version(self, table: str) -> str | None:
        info = self.info(table)
        return self.warehouse.versions([info])[info.ref]


def _open_sqlite(settings: ConnectionSettings) -> Any:
    file = sqlite3.connect(str(settings.filepath), isolation_level=None)
    file.execute("PRAGMA synchronous = OFF")
    return file


def _open_postgres(settings: ConnectionSettings) -> Any:
    connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        user=settings.username,
        password=settings.password,
        dbname=settings.database,
        options=f"-c search_path={settings.schema or 'public'}",
    )
    connection.autocommit = True
    return connection


def _open_mysql(settings: ConnectionSettings) -> Any:
    """With names in double quotes, as the other databases have them."""
    return pymysql.connect(
        host=settings.host,
        port=settings.port or 3306,
        user=settings.username,
        password=settings.password or "",
        database=settings.database,
        charset="utf8mb4",
        sql_mode="ANSI_QUOTES,STRICT_ALL_TABLES",
        autocommit=True,
    )


def _open_duckdb(settings: ConnectionSettings) -> Any:
    import duckdb

    return duckdb.connect(str(settings.filepath))


_OPENERS = {"sqlite": _open_sqlite, "postgres": _open_postgres, "mysql": _open_mysql, "duckdb": _open_duckdb}
