"""Rows of PostgreSQL as Arrow, through a connection of ADBC's that takes over the snapshot of a lane."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import adbc_driver_manager
import adbc_driver_postgresql
import pyarrow

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT
from profilemesh_airflow.warehouse.engine import KEEPALIVES
from profilemesh_airflow.warehouse.stream.series import series_of_arrow
from profilemesh_airflow.warehouse.stream.source import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from profilemesh_airflow.core.connection import ConnectionSettings

#: What reading refuses with: an error of Arrow's where it goes wrong on the way, as of texts that are not UTF-8.
ERRORS: tuple[type[Exception], ...] = (adbc_driver_manager.Error, pyarrow.ArrowException, OSError)

#: The bytes of rows that come at a time.
_BATCH = 4 * 2**20
_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"

#: No type that a user defined comes over.
_BUILTIN_TYPES = {"adbc.postgresql.type_resolver_mode": "builtin"}


class PostgresReader:
    """One ADBC connection, in the snapshot of the lanes; it cannot write.

    ADBC's own interface is used, and not its DB-API: that one imports pandas, wherever it is installed.
    """

    def __init__(self, snapshot: str, settings: ConnectionSettings, seconds: float | None) -> None:
        self._open = ExitStack()
        with ExitStack() as stack:
            database = stack.enter_context(_connect(_conninfo(settings)))
            connection = stack.enter_context(adbc_driver_manager.AdbcConnection(database))
            connection.set_autocommit(False)
            self._statement = stack.enter_context(adbc_driver_manager.AdbcStatement(connection))
            self._set("TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._set(f"TRANSACTION SNAPSHOT '{snapshot}'")
            if seconds is not None:
                self._set(f"LOCAL statement_timeout = {math.ceil(seconds * 1000)}")
            self._statement.set_options(**{_BATCH_OPTION: str(_BATCH)})
            self._open = stack.pop_all()

    def read(self, request: str) -> Iterator[Batch]:
        """What a statement selects, in batches as COPY delivers them."""
        self._statement.set_sql_query(request)
        rows, _ = self._statement.execute_query()
        with pyarrow.RecordBatchReader.from_stream(rows) as batches:
            for batch in batches:
                yield Batch(batch.num_rows, [_series(column) for column in batch.columns])

    def cancel(self) -> None:
        """Ask the server to stop the statement."""
        with suppress(adbc_driver_manager.Error):
            self._statement.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._open.close()

    def _set(self, what: str) -> None:
        self._statement.set_sql_query(f"SET {what}")
        self._statement.execute_update()


def _connect(conninfo: str) -> Any:
    """Without a look at every column of every table, if the driver knows how: of 10,000 tables it takes 2 s.

    It does since 1.13; before, it refuses the option, and the oldest take none at all.
    """
    try:
        return adbc_driver_postgresql.connect(conninfo, db_kwargs=_BUILTIN_TYPES)
    except (TypeError, adbc_driver_manager.NotSupportedError):
        return adbc_driver_postgresql.connect(conninfo)


def _series(column: Any) -> pl.Series:
    if pyarrow.types.is_string(column.type):
        # A server whose encoding is SQL_ASCII checks no text.
        column.validate(full=True)
    return series_of_arrow(column)


def _conninfo(settings: ConnectionSettings) -> str:
    """The connection string of libpq."""
    given = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.username,
        "password": settings.password,
        "dbname": settings.database,
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": APPLICATION_NAME,
        **KEEPALIVES,
        **settings.extra_params,
        "client_encoding": "UTF8",
    }
    return " ".join(f"{name}='{_escaped(value)}'" for name, value in given.items() if value is not None)


def _escaped(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")
