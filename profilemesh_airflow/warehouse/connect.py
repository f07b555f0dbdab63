"""Connection settings to a SQLAlchemy engine: the one place that knows the drivers.

The results store connects through here too, so that addresses, drivers, time-outs and messages are the same.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool, StaticPool

from profilemesh_airflow.exceptions import NotBuiltError, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings

#: Seconds to wait for a server to answer; ``connect_timeout`` in ``extra_params`` overrides it.
CONNECT_TIMEOUT = 10

#: Seconds to wait for another program's lock on an SQLite file; ``timeout`` in ``extra_params`` overrides it.
LOCK_TIMEOUT = 30.0

_MEMORY = ":memory:"


def connect(settings: ConnectionSettings, *, read_only: bool) -> Engine:
    """An engine for ``settings``; nothing is opened before its first connection.

    A ``read_only`` engine cannot write, creates no file, and each of its transactions sees one moment of the data
    (REPEATABLE READ on PostgreSQL). Otherwise an SQLite file is created when it is missing; its transactions begin
    DEFERRED unless the connection has the execution option ``sqlite_begin="IMMEDIATE"``, which a transaction that
    reads before it writes needs.

    :raises NotBuiltError: for a kind of database that this release cannot connect to.
    :raises WarehouseError: when its driver is not installed.
    """
    try:
        build = _BUILDERS[settings.type]
    except KeyError:
        raise NotBuiltError(
            f"databases of type {settings.type!r} are not supported yet; this release has {', '.join(connectable())}"
        ) from None
    return build(settings, read_only=read_only)


def connectable() -> tuple[str, ...]:
    """The kinds of database that :func:`connect` knows."""
    return tuple(sorted(_BUILDERS))


def sqlite_uri(filepath: str, *, read_only: bool) -> str:
    """The ``file:`` URI of an SQLite file, whatever characters its path holds."""
    path = quote(str(Path(filepath).expanduser().absolute()))
    return f"file:{path}?mode={'ro' if read_only else 'rwc'}"


def _sqlite(settings: ConnectionSettings, *, read_only: bool) -> Engine:
    filepath = settings.filepath or settings.database
    if not filepath:
        raise WarehouseError("the SQLite connection has no file: set `filepath`")
    memory = filepath == _MEMORY
    arguments: dict[str, Any] = {"timeout": LOCK_TIMEOUT, **settings.extra_params}
    opener = partial(
        sqlite3.connect,
        _MEMORY if memory else sqlite_uri(filepath, read_only=read_only),
        **{**arguments, "uri": True, "check_same_thread": False, "isolation_level": None},
    )
    engine = sqlalchemy.create_engine(
        "sqlite://", creator=opener, poolclass=StaticPool if memory else NullPool, hide_parameters=True, future=True
    )
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    """Begin for real: Python's own driver would begin only before a write, so that reads would see several moments."""
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('sqlite_begin', 'DEFERRED')}")


def _postgres(settings: ConnectionSettings, *, read_only: bool) -> Engine:
    url = URL.create(
        f"postgresql+{_postgres_driver()}",
        username=settings.username,
        password=settings.password,
        host=settings.host,
        port=settings.port,
        database=settings.database,
    )
    arguments = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "profilemesh", **settings.extra_params}
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if read_only else {}
    return sqlalchemy.create_engine(
        url,
        connect_args=arguments,
        execution_options=options,
        pool_size=2,
        pool_pre_ping=True,
        hide_parameters=True,
        future=True,
    )


def _postgres_driver() -> str:
    if find_spec("psycopg2"):
        return "psycopg2"
    if find_spec("psycopg") and not sqlalchemy.__version__.startswith("1."):
        return "psycopg"
    raise WarehouseError(
        "PostgreSQL needs a driver that is not installed: pip install 'profilemesh-airflow[postgres]' (psycopg2)"
    )


_BUILDERS: dict[str, Callable[..., Engine]] = {"postgres": _postgres, "sqlite": _sqlite}
