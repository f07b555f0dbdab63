"""Connection settings to a SQLAlchemy engine: how the profiled databases are opened, for reading only."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT, postgres_url
from profilemesh_airflow.exceptions import NotBuiltError, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings

#: Seconds to wait for another program's lock on an SQLite file; ``timeout`` in ``extra_params`` overrides it.
LOCK_TIMEOUT = 30.0

#: Seconds after which a server is asked whether it is still there, and how often: a network that fell silent ends a
#: statement after two minutes, which else would wait, and hold its table's change, for hours.
_KEEPALIVES = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}


def connect(settings: ConnectionSettings) -> Engine:
    """An engine that reads ``settings``' database; nothing is opened before its first connection.

    It cannot write, creates no file, and each of its transactions sees one moment of the data (REPEATABLE READ on
    PostgreSQL).

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
    return build(settings)


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
    return engine


def _begin_sqlite(connection: Connection) -> None:
    """Begin for real: Python's own driver would begin only before a write, so that reads would see several moments."""
    connection.exec_driver_sql("BEGIN")


def _postgres(settings: ConnectionSettings) -> Engine:
    return sqlalchemy.create_engine(
        postgres_url(settings),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": APPLICATION_NAME,
            **_KEEPALIVES,
            **settings.extra_params,
        },
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        pool_size=2,
        pool_pre_ping=True,
        hide_parameters=True,
        future=True,
    )


_BUILDERS: dict[str, Callable[..., Engine]] = {"postgres": _postgres, "sqlite": _sqlite}
