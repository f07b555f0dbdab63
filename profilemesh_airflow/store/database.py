"""Transactions on the store: the database's clock, retries after a conflict, errors without secrets."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import func, literal_column, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from profilemesh_airflow.exceptions import StoreError, StoreUnavailableError
from profilemesh_airflow.store.engine import BEGIN_MODE, SQLITE_WAIT_SECONDS, make_engine, sqlite_path
from profilemesh_airflow.store.faults import is_conflict, is_transient
from profilemesh_airflow.store.types import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.store.found import FoundTables

T = TypeVar("T")

#: How often a transaction is tried that others keep getting in the way of, and the longest wait in between.
ATTEMPTS = 12
LONGEST_PAUSE_SECONDS = 1.0
#: How long to wait for whoever is at what only one process may do at a time.
ALONE_WAIT_SECONDS = 600

#: What most errors of a database call for.
_CHECK = "; check storage.connection"
#: Those of the values, which no other connection would take either.
_OF_THE_DATA = (DataError, IntegrityError)

_CLOCKS: dict[str, ColumnElement[datetime]] = {
    "sqlite": literal_column("strftime('%Y-%m-%d %H:%M:%f000', 'now')", UtcDateTime()),
    # Not CURRENT_TIMESTAMP, which stands still while a transaction waits for a lock.
    "postgresql": func.clock_timestamp(type_=UtcDateTime()),
    # The moment at which this very statement began, in UTC whatever the session's zone.
    "mysql": literal_column("utc_timestamp(6)", UtcDateTime()),
    # In UTC, whatever the session's zone. Only events can be kept there.
    "snowflake": func.sysdate(type_=UtcDateTime()),
}


class ConflictError(Exception):
    """Another transaction changed the row first; this one is to be tried again from its beginning."""


class Database:
    """The store's database. Every piece of work is one transaction.

    :param engine: reaches it; none makes one as the store needs it.
    """

    def __init__(self, settings: ConnectionSettings, engine: Engine | None = None) -> None:
        self.settings = settings
        self.engine = engine or make_engine(settings)
        #: SQL for the time by this database's clock, which all workers share.
        self.clock = _CLOCKS[self.dialect]
        self._now = select(self.clock)
        #: The tables that ``work`` knows; where they were renamed meanwhile, it is run again.
        self.found: FoundTables | None = None

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for the kind of database."""
        return self.engine.dialect.name

    def exists(self) -> bool:
        """Whether there is a database to connect to; connecting to a SQLite file that is not there would make one."""
        path = sqlite_path(self.settings)
        return path is None or path.exists()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that only reads; again, where it was in somebody's way (deadlock).

        :raises StoreUnavailableError: the database cannot be reached just now.
        :raises StoreError: it refused the login or a statement.
        """
        return self._until_done(work, writes=False)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction; all of it is committed, or nothing.

        ``work`` is run again, in a new transaction, where another one got in its way (deadlock, unique key, revision).

        :raises StoreUnavailableError: the database cannot be reached just now, or ended the connection, and then it may
            have committed all the same; or others kept getting in the way.
        :raises StoreError: it refused the login or a statement.
        """
        return self._until_done(work, writes=True)

    def _until_done(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        with self._errors():
            for attempt in range(1, ATTEMPTS):
                try:
                    return self._once(work, writes=writes)
                except (ConflictError, DBAPIError) as error:
                    if not _in_the_way(error):
                        raise
                time.sleep(random.uniform(0, min(0.01 * 2**attempt, LONGEST_PAUSE_SECONDS)))
            return self._once(work, writes=writes)

    def _once(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        names = self.found.names if self.found else None
        try:
            with self.transaction(writes=writes) as connection:
                return work(connection)
        except (OperationalError, ProgrammingError):
            if self.found is None or not self.found.renamed_since(names):
                raise
        with self.transaction(writes=writes) as connection:
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

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep every other process out that asks for the same name, on this server, until the block ends.

        For MySQL and MariaDB, where a change of the schema ends the transaction, and with it whatever that had locked.

        :raises StoreUnavailableError: somebody else has been in there for too long.
        """
        with self._errors(), self._connect() as connection:
            if connection.execute(select(func.get_lock(name, ALONE_WAIT_SECONDS))).scalar_one() != 1:
                raise StoreUnavailableError(
                    f"results store ({self.settings.place}): another process has been at {name} for more than "
                    f"{ALONE_WAIT_SECONDS} seconds; try again when it is done"
                )
            try:
                yield
            finally:
                connection.execute(select(func.release_lock(name)))

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except TypeError as error:
            raise self._error(f"the driver does not take extra_params: {error}{_CHECK}") from None
        except RuntimeError as error:
            # PyMySQL lacks a package for the server's way of logging in, and names it.
            raise self._error(f"{error}{_CHECK}") from None

    def now(self, connection: Connection) -> datetime:
        """The time on the database's clock, which all workers share, in UTC."""
        return connection.execute(self._now).scalar_one()

    def redact(self, text: str) -> str:
        """``text`` without the connection's secrets, on one line."""
        return self.settings.redact(text)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ConflictError as error:
            reason = "other writers kept changing the same rows; try again later"
            raise self._error(reason, StoreUnavailableError) from error
        except SQLAlchemyError as error:
            # The cause is shown with the traceback, so it must not hold a secret either.
            cause = error if self.redact(str(error)) == " ".join(str(error).split()) else None
            remedy = "" if isinstance(error, _OF_THE_DATA) else _CHECK
            raise self._error(f"{_reason(error)}{remedy}", _kind(error)) from cause

    def _error(self, reason: str, kind: type[StoreError] = StoreError) -> StoreError:
        return kind(f"results store ({self.settings.place}): {self.redact(reason)}")

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _in_the_way(error: Exception) -> bool:
    return not isinstance(error, DBAPIError) or isinstance(error, IntegrityError) or is_conflict(error)


def _kind(error: SQLAlchemyError) -> type[StoreError]:
    return StoreUnavailableError if isinstance(error, DBAPIError) and is_transient(error) else StoreError


def _reason(error: SQLAlchemyError) -> str:
    if not isinstance(error, DBAPIError) or not error.orig:
        return str(error).strip().partition("\n")[0]
    # PyMySQL's error is a pair of a number and a message. The further lines of the others repeat the statement.
    *_, message = error.orig.args or ("",)
    return str(message or error.orig).strip().partition("\n")[0]
