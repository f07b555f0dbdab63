"""Reaching the store's database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT, postgres_url
from profilemesh_airflow.exceptions import NotBuiltError, StoreError

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

#: How long a statement waits for another writer of the same SQLite file.
SQLITE_WAIT_SECONDS = 30

#: Execution option of a connection: how SQLite is to begin its transactions, ``DEFERRED`` or ``IMMEDIATE``.
BEGIN_MODE = "profilemesh_begin_mode"


def make_engine(settings: ConnectionSettings) -> Engine:
    """An engine for the store; nothing is connected yet.

    :raises DriverMissingError: the driver is not installed.
    :raises StoreError: no file is named.
    :raises NotBuiltError: this release cannot keep its store in such a database.
    """
    if settings.type == "sqlite":
        return _sqlite(settings)
    if settings.type == "postgres":
        return _postgres(settings)
    raise NotBuiltError(
        f"storage.connection.type is {settings.type}, where this release cannot keep results; use postgres or sqlite"
    )


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
    return create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": APPLICATION_NAME,
            **settings.extra_params,
        },
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        hide_parameters=True,
        future=True,
        **batches,
    )
