"""The connections that profile one table together, all at one moment of the data."""

from __future__ import annotations

import logging
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.warehouse.errors import StatementError, connection_error, driver_message, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds between two attempts to stop a running statement.
_STOP_INTERVAL = 0.05


class Lane:
    """One connection, used by one thread at a time.

    :ivar queries: statements sent.
    :ivar scans: statements answered that read the profiled rows.
    """

    def __init__(self, connection: Connection, dialect: Dialect, settings: ConnectionSettings) -> None:
        self.connection = connection
        self.queries = 0
        self.scans = 0
        self._dialect = dialect
        self._settings = settings
        self._stopped = False
        self._driver: Any = connection.connection.dbapi_connection
        event.listen(connection, "before_cursor_execute", self._count)

    def run(self, statement: Any) -> Sequence[Any]:
        """The rows of a statement.

        :raises StatementError: when the database refuses it; the lane stays usable.
        :raises WarehouseError: when the connection is lost.
        :raises CancelledError: when the lane was stopped.
        """
        if self._stopped:
            raise CancelledError
        try:
            return self.connection.execute(statement).all()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise connection_error(error, self._settings) from error
            self._dialect.recover(self.connection)
            raise StatementError(driver_message(error, self._settings), sqlstate(error)) from error

    def scan(self, statement: Any) -> Sequence[Any]:
        """The rows of a statement that reads the profiled rows; raises as :meth:`run` does."""
        rows = self.run(statement)
        self.scans += 1
        return rows

    def stop(self) -> None:
        """Stop what another thread is running here, and let nothing more begin."""
        self._stopped = True
        try:
            self._dialect.cancel(self._driver)
        except self.connection.dialect.dbapi.Error as error:  # type: ignore[union-attr]
            log.debug("the connection was gone before its statement could be stopped: %s", type(error).__name__)

    def _count(self, *_: Any) -> None:
        self.queries += 1


class Lanes:
    """Up to ``count`` lanes; fewer where the database does not grant as many.

    Leaving the context with an error stops the statements that are still running.
    """

    def __init__(self, engine: Engine, dialect: Dialect, settings: ConnectionSettings, count: int) -> None:
        self._engine = engine
        self._dialect = dialect
        self._settings = settings
        self._count = count
        self._stack = ExitStack()
        self._lanes: list[Lane] = []
        self._free: SimpleQueue[Lane] = SimpleQueue()

    def __enter__(self) -> Lanes:
        with ExitStack() as stack:
            lanes = self._open(stack)
            try:
                moment = self._dialect.share_moment([lane.connection for lane in lanes])
            except DBAPIError as error:
                _discard(lanes)
                raise connection_error(error, self._settings) from error
            self._lanes = [lane for lane in lanes if lane.connection in moment]
            for lane in self._lanes:
                self._free.put(lane)
            self._workers = ThreadPoolExecutor(len(self._lanes), thread_name_prefix="profilemesh")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            self._workers.shutdown(wait=error is None, cancel_futures=True)
            if error is not None:
                self._stop()
                self._workers.shutdown()
                _discard(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have ``work(lane, *arguments)`` done by the next lane that is free."""

        def on_a_lane() -> T:
            lane = self._free.get()
            try:
                return work(lane, *arguments)
            finally:
                self._free.put(lane)

        return self._workers.submit(on_a_lane)

    @property
    def queries(self) -> int:
        """Statements sent."""
        return sum(lane.queries for lane in self._lanes)

    @property
    def scans(self) -> int:
        """Statements answered that read the profiled rows."""
        return sum(lane.scans for lane in self._lanes)

    def _stop(self) -> None:
        """Stop every lane; again and again, as a statement may be about to begin when it is told to stop."""
        while self._free.qsize() < len(self._lanes):
            for lane in self._lanes:
                lane.stop()
            time.sleep(_STOP_INTERVAL)

    def _open(self, stack: ExitStack) -> list[Lane]:
        lanes: list[Lane] = []
        for _ in range(self._count):
            try:
                connection = stack.enter_context(self._engine.connect())
            except DBAPIError as error:
                if not lanes:
                    raise connection_error(error, self._settings) from error
                log.info("profiling with fewer connections: %s", driver_message(error, self._settings))
                break
            lanes.append(Lane(connection, self._dialect, self._settings))
        return lanes


def _discard(lanes: Iterable[Lane]) -> None:
    """Drop connections that may be broken: rolling back on one would raise, and hide what broke it."""
    for lane in lanes:
        lane.connection.invalidate()
