"""Which installed driver reaches a server, for the profiled database and for the store alike."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy.engine import URL

from profilemesh_airflow.exceptions import DriverMissingError

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

#: Seconds to wait for a server to answer; ``connect_timeout`` in ``extra_params`` overrides it.
CONNECT_TIMEOUT = 10

#: What the server's own lists of sessions call ours.
APPLICATION_NAME = "profilemesh-airflow"


def postgres_url(settings: ConnectionSettings) -> URL:
    """The address of a PostgreSQL database, for the driver that is installed: psycopg2, or else psycopg 3.

    :raises DriverMissingError: neither is.
    """
    return URL.create(
        f"postgresql+{_postgres_driver()}",
        username=settings.username,
        password=settings.password,
        host=settings.host,
        port=settings.port,
        database=settings.database,
    )


def mysql_url(settings: ConnectionSettings) -> URL:
    """The address of a MySQL or MariaDB database, for PyMySQL; ``schema`` is another word for it where it stands alone.

    :raises DriverMissingError: PyMySQL is not installed.
    """
    _require("MySQL and MariaDB", "mysql", pymysql="PyMySQL")
    return URL.create(
        "mysql+pymysql",
        username=settings.username,
        password=settings.password,
        host=settings.host,
        port=settings.port,
        database=settings.database or settings.schema,
    )


def duckdb_url(filepath: str) -> URL:
    """The address of a DuckDB file, for duckdb-engine.

    :raises DriverMissingError: duckdb or duckdb-engine is not installed.
    """
    _require("DuckDB", "duckdb", duckdb="duckdb", duckdb_engine="duckdb-engine")
    return URL.create("duckdb", database=filepath)


def snowflake_url(settings: ConnectionSettings) -> URL:
    """The address of a Snowflake database, for snowflake-sqlalchemy.

    :raises DriverMissingError: it is not installed.
    """
    _require("Snowflake", "snowflake", snowflake="snowflake-sqlalchemy")
    names = [name for name in (settings.database, settings.schema) if name]
    query = {"role": settings.role, "warehouse": settings.warehouse}
    return URL.create(
        "snowflake",
        username=settings.username,
        password=settings.password,
        host=settings.account or settings.host,
        database="/".join(names) or None,
        query={name: value for name, value in query.items() if value},
    )


def bigquery_url(settings: ConnectionSettings) -> URL:
    """The address of a BigQuery project and its dataset, for sqlalchemy-bigquery.

    :raises DriverMissingError: it is not installed.
    """
    _require("BigQuery", "bigquery", sqlalchemy_bigquery="sqlalchemy-bigquery")
    return URL.create("bigquery", host=settings.database, database=settings.schema)


def redshift_url(settings: ConnectionSettings) -> URL:
    """The address of a Redshift database, for sqlalchemy-redshift with psycopg2.

    :raises DriverMissingError: one of them is not installed.
    """
    _require("Redshift", "redshift", sqlalchemy_redshift="sqlalchemy-redshift", psycopg2="psycopg2-binary")
    return URL.create(
        "redshift+psycopg2",
        username=settings.username,
        password=settings.password,
        host=settings.host,
        port=settings.port or 5439,
        database=settings.database,
    )


def _require(database: str, extra: str, **packages: str) -> None:
    """Complain of what is missing among ``packages``: a module's name, and what to install for it."""
    missing = [package for module, package in packages.items() if not find_spec(module)]
    if missing:
        raise DriverMissingError(
            f"{database} needs what is not installed: pip install 'profilemesh-airflow[{extra}]' ({', '.join(missing)})"
        )


def _postgres_driver() -> str:
    if find_spec("psycopg2"):
        return "psycopg2"
    # SQLAlchemy 1.4 cannot use psycopg 3.
    if find_spec("psycopg") and not sqlalchemy.__version__.startswith("1."):
        return "psycopg"
    raise DriverMissingError(
        "PostgreSQL needs a driver that is not installed: pip install 'profilemesh-airflow[postgres]' (psycopg2)"
    )
