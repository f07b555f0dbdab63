"""Amazon Redshift. Compiled and parsed, not run: see :mod:`profilemesh_airflow.warehouse.dialects.cloud`.

What its data version can miss
------------------------------
There is none: always unknown, and so left to ``profile_after``, a `watermark` or a `version_query`. What Redshift
keeps would lose changes: SVV_TABLE_INFO counts rows, and an update followed by an automatic vacuum leaves the same
counts; its logs of inserts and deletes are kept for days, and show an ordinary user its own statements only.

Samples
-------
There is no TABLESAMPLE: rows are drawn by a hash of those of their columns that can be profiled, so that rows which are
equal in them are drawn together.

One moment
----------
A profile reads in one transaction, which sees one moment. After a refused statement it goes on in another transaction,
at a later moment, as Redshift has no savepoints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from profilemesh_airflow.warehouse.dialects.base import HASHES
from profilemesh_airflow.warehouse.dialects.cloud import Asked, CloudDialect, about
from profilemesh_airflow.warehouse.dialects.names import columns_of
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.plan import TableInfo

_CATALOG = """
SELECT r.table_schema, r.table_name, r.table_type, NULL, NULL, c.column_name, c.data_type,
    CASE WHEN c.data_type = 'numeric' THEN c.numeric_precision END,
    CASE WHEN c.data_type = 'numeric' THEN c.numeric_scale END, NULL, NULL
FROM svv_tables AS r JOIN svv_columns AS c ON c.table_schema = r.table_schema AND c.table_name = r.table_name
WHERE r.table_schema IN :schemas AND r.table_name IN :tables
ORDER BY c.ordinal_position
"""

_TABLES = """
SELECT table_schema, table_name, table_type FROM svv_tables
WHERE table_type IN ('BASE TABLE', 'VIEW', 'EXTERNAL TABLE')
    AND table_schema <> 'information_schema' AND left(table_schema, 3) <> 'pg_'
"""


class _approximate_count(FunctionElement):  # type: ignore[type-arg]  # SQLAlchemy 1.4 has no argument for it
    """SQL for Redshift's own approximation of a number of distinct values."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(_approximate_count)
def _compile(element: Any, compiler: Any, **arguments: Any) -> str:
    (value,) = element.clauses
    return f"APPROXIMATE COUNT(DISTINCT {compiler.process(value, **arguments)})"


class RedshiftDialect(CloudDialect):
    """Amazon Redshift: its system views of tables and columns; names in lower case, as it stores them."""

    name = "redshift"
    random = "random()"
    counts_fast = True
    cuts_averages = True
    default_schema = "public"
    missing_codes = frozenset({"42P01", "3F000"})
    kinds: ClassVar[Mapping[str, Kind]] = {
        **dict.fromkeys(("smallint", "integer", "bigint"), Kind.INTEGER),
        "numeric": Kind.DECIMAL,
        **dict.fromkeys(("real", "double precision"), Kind.FLOAT),
        **dict.fromkeys(("character", "character varying"), Kind.TEXT),
        "boolean": Kind.BOOLEAN,
        **dict.fromkeys(("date", "time without time zone", "time with time zone"), Kind.TEMPORAL),
        **dict.fromkeys(("timestamp without time zone", "timestamp with time zone"), Kind.TEMPORAL),
    }

    def spellings(self, name: str) -> Sequence[str]:
        """As written, and in lower case, as Redshift stores names."""
        return (name,) if name.islower() else (name, name.lower())

    def catalog_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable:
        """Without numbers of rows and bytes, which an ordinary user may not see."""
        return about(_CATALOG, asked)

    def tables_query(self, connection: Connection) -> str:
        """Of the database."""
        return _TABLES

    def version_query(self, connection: Connection, asked: Asked) -> None:
        """Nothing is known that would not lose changes."""

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """Times in UTC."""
        connections[0].exec_driver_sql("SET timezone TO 'UTC'")
        return connections[:1]

    def recover(self, connection: Connection) -> None:
        """A new transaction."""
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN")

    def limit(self, connection: Connection, seconds: float) -> None:
        """By ``statement_timeout``; a shorter limit of the queue stays."""
        connection.exec_driver_sql(f"SET statement_timeout TO {min(math.ceil(seconds * 1000), 2**31 - 1)}")

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """Ask the server to stop the statement."""
        driver_connection.cancel()

    def approximate_distinct(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """By HyperLogLog."""
        return _approximate_count(value)

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int] | None:
        """The sum of hashes of the values, each column's with a seed of its own, so that no two are interchangeable."""
        columns = [column for column, kind in columns_of(info) if kind is not Kind.NONE]
        if not columns:
            return None
        # What is hashed has either sign.
        total: Any = sa.literal_column(str(HASHES * len(columns)), sa.BigInteger())
        for at, column in enumerate(columns):
            own: Any = sa.literal_column(str(seed + at))
            hashed = sa.func.coalesce(sa.func.fnv_hash(column, own), own)
            total += sa.func.mod(hashed, sa.literal_column(str(HASHES)), type_=sa.BigInteger())
        return sa.func.mod(total, sa.literal_column(str(HASHES)), type_=sa.BigInteger())
