"""Connection settings to a SQLAlchemy engine: how the profiled databases are opened, for reading only."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from profilemesh_airflow.drivers import (
    APPLICATION_NAME,
    CONNECT_TIMEOUT,
    bigquery_url,
    duckdb_url,
    mysql_url,
    postgres_url,
    redshift_url,
    snowflake_url,
)
from profilemesh_airflow.exceptions import NotBuiltError, WarehouseError
from profilemesh_airflow.warehouse.copying import copy_out
from profilemesh_airflow.warehouse.quoting import keeping_dots
from profilemesh_airflow.warehouse.witness import WITNESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings

#: Seconds to wait for another program's lock on an SQLite file; ``timeout`` in ``extra_params`` overrides it.
LOCK_TIMEOUT = 30.0

#: Seconds after which a server is asked whether it is still there, and how often: a network that fell silent ends a
#: statement after two minutes, which else would wait, and hold its table's change, for hours.
KEEPALIVES = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}


def connect(settings: ConnectionSettings) -> Engine:
    """An engine that reads ``settings``' database; nothing is opened before its first connection.

    It creates no file; where the database can say so it cannot write, and each of its transactions sees one moment of
    the data. What a kind of database cannot is written at its dialect.

    :raises NotBuiltError: for a kind of database that this release cannot connect to.
    :raises DriverMissingError: when its driver is not installed.
    :raises WarehouseError: when no file is named.
    """
    try:
        build = _BUILDERS[settings.type]
    except KeyError:
        known = ", ".join(sorted(_BUILDERS))
        raise NotBuiltError(
            f"cannot read databases of type {settings.type!r} yet; this release reads {known}"
        ) from None
    engine = build(settings)
    event.listen(engine, "do_connect", partial(_open, settings))
    return engine


def _open(settings: ConnectionSettings, dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Any:
    """A connection of the driver, which is the first to see a wrong ``extra_params``."""
    try:
        return dialect.connect(*arguments, **parameters)
    except TypeError as error:
        raise WarehouseError(f"cannot use {settings.place}: {error}; check extra_params") from error


def sqlite_uri(filepath: str) -> str:
    """The ``file:`` URI that reads an SQLite file, whatever characters its path holds."""
    return f"file:{quote(str(Path(filepath).expanduser().absolute()))}?mode=ro"


def _sqlite(settings: ConnectionSettings) -> Engine:
    if not settings.filepath:
        raise WarehouseError("the SQLite connection has no file: set `filepath`")
    arguments = {
        "timeout": LOCK_TIMEOUT,
        **settings.extra_params,
        "uri": True,
        "check_same_thread": False,
        "isolation_level": None,
    }
    opener = partial(sqlite3.connect, sqlite_uri(settings.filepath), **arguments)
    engine = sqlalchemy.create_engine(
        "sqlite://", creator=opener, poolclass=NullPool, hide_parameters=True, future=True
    )
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "close", _close_witness)
    return engine


def _close_witness(_connection: Any, record: Any) -> None:
    """What came with a connection's moment goes with the connection."""
    if (witness := record.info.pop(WITNESS, None)) is not None:
        witness.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin for real: Python's own driver would begin only before a write, so that reads would see several moments."""
    connection.exec_driver_sql("BEGIN")


def _duckdb(settings: ConnectionSettings) -> Engine:
    if not settings.filepath:
        raise WarehouseError("the DuckDB connection has no file: set `filepath`")
    engine = sqlalchemy.create_engine(
        duckdb_url(str(Path(settings.filepath).expanduser().absolute())),
        connect_args={**settings.extra_params, "read_only": True},
        # Whoever wants to write has to wait until nobody has the file open.
        poolclass=NullPool,
        hide_parameters=True,
        future=True,
    )
    # Else duckdb-engine makes doubles of decimals, and their last digits are lost.
    engine.dialect.supports_native_decimal = True
    return keeping_dots(engine)


def _postgres(settings: ConnectionSettings) -> Engine:
    engine = sqlalchemy.create_engine(
        postgres_url(settings),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": APPLICATION_NAME,
            **KEEPALIVES,
            **settings.extra_params,
        },
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        pool_size=2,
        pool_pre_ping=True,
        hide_parameters=True,
        future=True,
    )
    event.listen(engine, "do_execute", copy_out)
    return engine


def _mysql(settings: ConnectionSettings) -> Engine:
    engine = sqlalchemy.create_engine(
        mysql_url(settings),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "program_name": APPLICATION_NAME,
            "charset": "utf8mb4",
            # Whatever the server's default is: some modes change what a statement means.
            "sql_mode": "NO_ENGINE_SUBSTITUTION",
            **settings.extra_params,
        },
        # A session's limits and settings end with it.
        poolclass=NullPool,
        hide_parameters=True,
        future=True,
    )
    event.listen(engine, "connect", _prepare_mysql)
    event.listen(engine, "begin", _begin_mysql)
    return engine


def _prepare_mysql(connection: Any, _record: Any) -> None:
    """Times in UTC, reading only, of one moment; and a catalog that is up to date (MySQL 8 keeps it for a day)."""
    with connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("/*!80000 SET information_schema_stats_expiry = 0 */")


def _begin_mysql(connection: Connection) -> None:
    connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _redshift(settings: ConnectionSettings) -> Engine:
    return sqlalchemy.create_engine(
        redshift_url(settings),
        connect_args={"connect_timeout": CONNECT_TIMEOUT, **KEEPALIVES, **settings.extra_params},
        execution_options={"postgresql_readonly": True},
        poolclass=NullPool,
        hide_parameters=True,
        future=True,
    )


def _snowflake(settings: ConnectionSettings) -> Engine:
    engine = sqlalchemy.create_engine(
        snowflake_url(settings),
        connect_args={"application": APPLICATION_NAME, "login_timeout": CONNECT_TIMEOUT, **settings.extra_params},
        poolclass=NullPool,
        hide_parameters=True,
        future=True,
    )
    return keeping_dots(engine)


def _bigquery(settings: ConnectionSettings) -> Engine:
    """``extra_params`` are arguments of sqlalchemy-bigquery; it looks for its login when the engine is made."""
    url = bigquery_url(settings)
    from google.auth.exceptions import GoogleAuthError

    try:
        return sqlalchemy.create_engine(
            url, poolclass=NullPool, hide_parameters=True, future=True, **settings.extra_params
        )
    except GoogleAuthError as error:
        raise WarehouseError(
            f"cannot use {settings.place}: {settings.redact(str(error))}; set `credentials_path` in extra_params"
        ) from error


_BUILDERS: dict[str, Callable[..., Engine]] = {
    "bigquery": _bigquery,
    "duckdb": _duckdb,
    "mysql": _mysql,
    "postgres": _postgres,
    "redshift": _redshift,
    "snowflake": _snowflake,
    "sqlite": _sqlite,
}
