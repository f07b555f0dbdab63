"""Snowflake. Compiled and parsed, not run: see :mod:`profilemesh_airflow.warehouse.dialects.cloud`.

What its data version can miss
------------------------------
The version is ``LAST_ALTERED`` of ``INFORMATION_SCHEMA.TABLES``, in milliseconds, with the number of rows and bytes.

- Two changes within one millisecond that leave rows and bytes as they are count as one.
- It also moves with a change of the definition and with Snowflake's own maintenance: one profile more than needed.
- Unknown, and so left to ``profile_after``: views, materialized views and external tables.

One moment
----------
A statement sees the data of its own beginning; rows that arrive while a profile runs may be in one metric and not in
another.

Names
-----
A name is looked up as it is written, and then in upper case, as Snowflake stores names that were not quoted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from profilemesh_airflow.core.selection import with_values
from profilemesh_airflow.warehouse.dialects.base import HASHES
from profilemesh_airflow.warehouse.dialects.cloud import Asked, CloudDialect, Name, about
from profilemesh_airflow.warehouse.dialects.names import columns_of
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.plan import TableInfo

_CATALOG = """
SELECT r.table_schema, r.table_name, r.table_type, r.row_count, r.bytes, c.column_name, c.data_type,
    c.numeric_precision, c.numeric_scale, c.collation_name,
    CASE WHEN r.table_type = 'BASE TABLE' THEN date_part(epoch_second, r.last_altered) END
FROM information_schema.tables AS r JOIN information_schema.columns AS c
    ON c.table_schema = r.table_schema AND c.table_name = r.table_name
WHERE r.table_schema IN :schemas AND r.table_name IN :tables
ORDER BY c.ordinal_position
"""

_VERSIONS = """
SELECT table_schema, table_name, 'last_altered='
    || to_varchar(convert_timezone('UTC', last_altered), 'YYYY-MM-DD HH24:MI:SS.FF3')
    || ' rows=' || row_count || ' bytes=' || bytes
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema IN :schemas AND table_name IN :tables
"""

_TABLES = """
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_type IN ('BASE TABLE', 'VIEW', 'MATERIALIZED VIEW', 'EXTERNAL TABLE')
    AND table_schema <> 'INFORMATION_SCHEMA'
"""

_TAGS = """
SELECT object_schema, object_name, tag_name, tag_value FROM snowflake.account_usage.tag_references
WHERE object_database = current_database() AND domain = 'TABLE' AND object_deleted IS NULL
"""

#: Times in UTC and as ISO 8601, whatever account, user or connection say.
_SESSION = """
ALTER SESSION SET TIMEZONE = 'UTC', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS.FF9',
    TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9',
    TIMESTAMP_LTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9TZH:TZM',
    TIMESTAMP_TZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9TZH:TZM'
"""


class SnowflakeDialect(CloudDialect):
    """Snowflake: INFORMATION_SCHEMA of one database."""

    name = "snowflake"
    random = "uniform(0::float, 1::float, random())"
    cuts_averages = True
    default_schema = "PUBLIC"
    missing_codes = frozenset({"42S02"})
    kinds: ClassVar[Mapping[str, Kind]] = {
        "NUMBER": Kind.DECIMAL,
        "FLOAT": Kind.FLOAT,
        "TEXT": Kind.TEXT,
        "BOOLEAN": Kind.BOOLEAN,
        **dict.fromkeys(("DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"), Kind.TEMPORAL),
    }

    def spellings(self, name: str) -> Sequence[str]:
        """As written, and as Snowflake stores what was not quoted."""
        return (name,) if name.isupper() else (name, name.upper())

    def catalog_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable:
        """The number of rows and bytes are exact here."""
        return about(_CATALOG, asked)

    def tables_query(self, connection: Connection) -> str:
        """Of the database."""
        return _TABLES

    def tags(self, connection: Connection) -> dict[Name, frozenset[str]]:
        """Of the account's usage, which lags two hours behind and takes a right on the database SNOWFLAKE."""
        found: defaultdict[Name, set[str]] = defaultdict(set)
        for schema, table, tag, value in connection.exec_driver_sql(_TAGS):
            found[schema, table] |= with_values([(tag, value)])
        return {name: frozenset(tags) for name, tags in found.items()}

    def version_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable:
        """Of tables alone: a view is altered only when it is defined anew."""
        return about(_VERSIONS, asked)

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """The session writes times as ISO 8601."""
        connections[0].exec_driver_sql(_SESSION)
        return connections[:1]

    def limit(self, connection: Connection, seconds: float) -> None:
        """By ``STATEMENT_TIMEOUT_IN_SECONDS``; a shorter one of the warehouse stays."""
        connection.exec_driver_sql(
            f"ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {min(math.ceil(seconds), 604_800)}"
        )

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """By another session: this one is busy."""
        with engine.connect() as other:
            other.exec_driver_sql(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({int(driver_connection.session_id)})")

    def approximate_distinct(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """By HyperLogLog."""
        return sa.func.approx_count_distinct(value)

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int]:
        """By a row's contents, so that equal rows are drawn together: a row has no address here."""
        values = (column for column, _ in columns_of(info))
        hashed: Any = sa.func.hash(*values, sa.literal_column(str(seed)))
        return sa.func.mod(sa.func.abs(hashed), sa.literal_column(str(HASHES)), type_=sa.BigInteger())
