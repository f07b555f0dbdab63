"""Reaching the store's database."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DisconnectionError

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT, mysql_url, postgres_url
from profilemesh_airflow.exceptions import NotBuiltError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.core.connection import ConnectionSettings

#: How long a statement waits for another writer of the same SQLite file.
SQLITE_WAIT_SECONDS = 30

#: A connection that nobody used for so long is asked for a sign of life before it is used again.
IDLE_SECONDS = 1.0

#: Execution option of a connection: how SQLite is to begin its transactions, ``DEFERRED`` or ``IMMEDIATE``.
BEGIN_MODE = "profilemesh_begin_mode"


def make_engine(settings: ConnectionSettings) -> Engine:
    """An engine for the store; nothing is connected yet.

    :raises DriverMissingError: the driver is not installed.
    :raises StoreError: no file, or no database, is named.
    :raises NotBuiltError: this release cannot keep its store in such a database.
    """
    if settings.type not in _MAKERS:
        raise NotBuiltError(
            f"storage.connection.type is {settings.type}, where this release cannot keep results; "
            f"use {', '.join(sorted(_MAKERS))}"
        )
    return _MAKERS[settings.type](settings)


def sqlite_path(settings: ConnectionSettings) -> Path | None:
    """The file of a SQLite store, or none for any other database."""
    if settings.type != "sqlite":
        return None
    if not settings.filepath:
        raise StoreError("storage.connection has no filepath; a SQLite store needs the path of its file")
    return Path(settings.filepath).expanduser().absolute()


def _sqlite(settings: ConnectionSettings) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(sqlite_path(settings))),
        connect_args={"timeout": SQLITE_WAIT_SECONDS, **settings.extra_params},
        hide_parameters=True,
        future=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver would begin a transaction only at the first write, too late for what was read before it.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get(BEGIN_MODE)
        if mode:
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _postgres(settings: ConnectionSettings) -> Engine:
    url = postgres_url(settings)
    # psycopg2 alone sends an executemany row by row unless it is told otherwise; psycopg pipelines by itself.
    batches = {"executemany_mode": "values_plus_batch"} if url.get_driver_name() == "psycopg2" else {}
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": APPLICATION_NAME,
            **settings.extra_params,
        },
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        future=True,
        **batches,
    )
    _ask_the_idle(engine)
    return engine


def _mysql(settings: ConnectionSettings) -> Engine:
    if not (settings.database or settings.schema):
        raise StoreError("storage.connection has no database; a MySQL store needs the name of one that exists")
    engine = create_engine(
        mysql_url(settings),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "program_name": APPLICATION_NAME,
            "charset": "utf8mb4",
            # Whatever the server's default is: a value that does not fit is refused, never cut to fit.
            "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
            **settings.extra_params,
        },
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        future=True,
    )
    _ask_the_idle(engine)
    return engine


def _ask_the_idle(engine: Engine) -> None:
    """Replace a connection that was lost while it was idle for long, without asking each one each time."""

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["idle since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("idle since", math.inf) < IDLE_SECONDS:
            return
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT 1")
            cursor.close()
            connection.rollback()
        except engine.dialect.dbapi.Error as error:  # type: ignore[union-attr]
            raise DisconnectionError from error


_MAKERS: dict[str, Callable[[ConnectionSettings], Engine]] = {
    "mysql": _mysql,
    "postgres": _postgres,
    "sqlite": _sqlite,
}
