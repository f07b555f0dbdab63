"""What differs from one database to the next; the engine on top is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.warehouse.dialects.bigquery import BigQueryDialect
from profilemesh_airflow.warehouse.dialects.duckdb import DuckDBDialect
from profilemesh_airflow.warehouse.dialects.mysql import MySQLDialect
from profilemesh_airflow.warehouse.dialects.postgres import PostgresDialect
from profilemesh_airflow.warehouse.dialects.redshift import RedshiftDialect
from profilemesh_airflow.warehouse.dialects.snowflake import SnowflakeDialect
from profilemesh_airflow.warehouse.dialects.sqlite import SQLiteDialect

if TYPE_CHECKING:
    from profilemesh_airflow.warehouse.dialects.base import Dialect

#: The dialect of each supported kind of database.
DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        BigQueryDialect(),
        DuckDBDialect(),
        MySQLDialect(),
        PostgresDialect(),
        RedshiftDialect(),
        SnowflakeDialect(),
        SQLiteDialect(),
    )
}
