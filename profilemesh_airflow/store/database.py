"""Transactions on the store: the database's clock, retries after a conflict, errors without secrets."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import func, literal_column, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store.engine import BEGIN_MODE, SQLITE_WAIT_SECONDS, make_engine, sqlite_path
from profilemesh_airflow.store.types import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.connection import ConnectionSettings

T = TypeVar("T")

#: How often a transaction is tried that others keep getting in the way of.
ATTEMPTS = 6
#: SQLSTATE of a serialization failure and of a deadlock.
_CONFLICT_STATES = ("40001", "40P01")


class ConflictError(Exception):
    """Another transaction changed the row first; this one is to be tried again from its beginning."""


class Database:
    """The store's database. Every piece of work is one transaction."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.engine = make_engine(settings)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for the kind of database."""
        return self.engine.dialect.name

    def exists(self) -> bool:
        """Whether there is a database to connect to; connecting to a SQLite file that is not there would make one."""
        path = sqlite_path(self.settings)
        return path is None or path.exists()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that only reads.

        :raises StoreError: the database cannot be reached, or refused a statement.
        """
        with self._errors(), self.transaction(writes=False) as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction; all of it is committed, or nothing.

        ``work`` is run again, in a new transaction, where another one got in its way (deadlock, unique key, revision).

        :raises StoreError: the database cannot be reached, or refused a statement.
        """
        with self._errors():
            for attempt in range(1, ATTEMPTS):
                try:
                    return self._write_once(work)
                except (ConflictError, DBAPIError) as error:
                    if not _is_conflict(error):
                        raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
            return self._write_once(work)

    def _write_once(self, work: Callable[[Connection], T]) -> T:
        with self.transaction(writes=True) as connection:
            return work(connection)

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Connection]:
        """A connection in a transaction, committed at the end of the block unless that raises."""
        with self._connect() as connection:
            connection = connection.execution_options(**{BEGIN_MODE: "IMMEDIATE" if writes else "DEFERRED"})
            with connection.begin():
                yield connection

    def use_write_ahead_log(self) -> None:
        """Let readers of a SQLite file go on while another process writes; the file keeps this mode.

        :raises StoreError: the file cannot be written.
        """
        deadline = time.monotonic() + SQLITE_WAIT_SECONDS
        with self._errors():
            while True:
                try:
                    with self._connect() as connection:
                        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                    return
                except OperationalError as error:
                    # Two processes that switch at once refuse each other at once, without the usual wait.
                    if "locked" not in str(error.orig) or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(0, 0.05))

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except TypeError as error:
            raise self._error(f"the driver does not take extra_params: {error}") from None

    def now(self, connection: Connection) -> datetime:
        """The time on the database's clock, which all workers share, in UTC."""
        return connection.execute(select(self._clock)).scalar_one()

    @property
    def _clock(self) -> ColumnElement[datetime]:
        if self.dialect == "sqlite":
            return literal_column("strftime('%Y-%m-%d %H:%M:%f000', 'now')", UtcDateTime())
        # Not CURRENT_TIMESTAMP, which stands still while a transaction waits for a lock.
        return func.clock_timestamp(type_=UtcDateTime())

    def redact(self, text: str) -> str:
        """``text`` without the connection's secrets, on one line."""
        for secret in self.settings.secrets():
            text = text.replace(secret, "***")
        return " ".join(text.split())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ConflictError as error:
            raise self._error("other writers kept changing the same rows; try again later") from error
        except SQLAlchemyError as error:
            reason = str(error.orig) if isinstance(error, DBAPIError) and error.orig else str(error)
            # The driver's further lines repeat the statement.
            reason = reason.strip().partition("\n")[0]
            # The cause is shown with the traceback, so it must not hold a secret either.
            cause = error if self.redact(str(error)) == " ".join(str(error).split()) else None
            raise self._error(reason) from cause

    def _error(self, reason: str) -> StoreError:
        return StoreError(f"results store ({self.settings.place}): {self.redact(reason)}; check storage.connection")

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _is_conflict(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return True
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return isinstance(error, IntegrityError) or state in _CONFLICT_STATES
