"""The connections that profile one table together, all at one moment of the data."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.warehouse.copying import SINK
from profilemesh_airflow.warehouse.deadline import Deadline
from profilemesh_airflow.warehouse.errors import (
    StatementError,
    connection_error,
    driver_message,
    error_code,
    is_transient,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.exceptions import WarehouseError
    from profilemesh_airflow.warehouse.copying import Sink
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.stream.source import Reader, Source

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds between two attempts to stop a running statement.
_STOP_INTERVAL = 0.05

#: Seconds beyond the deadline after which the server itself ends a statement: only where nobody is left to stop it, as
#: when this process was killed.
_GRACE = 1.0


class Lane:
    """One connection, used by one thread at a time.

    :ivar queries: statements sent.
    :ivar scans: statements answered that read the profiled rows.
    """

    def __init__(
        self, connection: Connection, dialect: Dialect, settings: ConnectionSettings, deadline: Deadline
    ) -> None:
        self.connection = connection
        self.queries = 0
        self.scans = 0
        self._dialect = dialect
        self._settings = settings
        self._deadline = deadline
        self._stopped = False
        self._lost: WarehouseError | None = None
        self._reader: Reader | None = None
        self._driver: Any = connection.connection.dbapi_connection
        event.listen(connection, "before_cursor_execute", self._count)

    def run(self, statement: Any) -> Sequence[Any]:
        """The rows of a statement.

        :raises StatementError: when the database refuses it; the lane stays usable.
        :raises WarehouseError: when the connection is lost, now or before, or when the refusal passes: a metric must
            not be missing from a profile for that.
        :raises ProfileTimeoutError: when the deadline is over.
        :raises CancelledError: when the lane was stopped.
        """
        with self._within_limits():
            return self.connection.execute(statement).all()

    @contextmanager
    def _within_limits(self) -> Iterator[None]:
        """One statement, with what goes wrong as :meth:`run` raises it."""
        left = self._seconds_left()
        try:
            if left is not None:
                self._dialect.limit(self.connection, left + _GRACE)
            yield
        except DBAPIError as error:
            raise self._meaning(error) from error

    def _seconds_left(self) -> float | None:
        """How long the next statement may take, none where there is no limit; raises as :meth:`run` does."""
        if self._stopped:
            raise CancelledError
        if self._lost is not None:
            raise self._lost
        left = self._deadline.left
        if left == 0:
            raise self._deadline.error()
        return left

    def _meaning(self, error: DBAPIError) -> Exception:
        if self._deadline.over:
            return self._deadline.error()
        if not error.connection_invalidated and not is_transient(error):
            try:
                self._dialect.recover(self.connection)
            except DBAPIError as lost:
                error = lost
            else:
                return StatementError(driver_message(error, self._settings), error_code(error))
        self._lost = connection_error(error, self._settings)
        return self._lost

    def scan(self, statement: Any) -> Sequence[Any]:
        """The rows of a statement that reads the profiled rows; raises as :meth:`run` does."""
        rows = self.run(statement)
        self.scans += 1
        return rows

    def fetch(self, statement: Any, most: int) -> Generator[Sequence[tuple[Any, ...]]]:
        """The rows of a statement that reads the profiled rows, at most so many at a time, as the driver has them.

        :raises StatementError: when it is refused, for whatever reason; else raises as :meth:`run` does.
        """
        self._seconds_left()
        errors = (DBAPIError, self.connection.dialect.dbapi.Error)  # type: ignore[union-attr]
        try:
            with closing(self.connection.execute(statement)) as result:
                while rows := result.cursor.fetchmany(most):
                    self._seconds_left()
                    yield rows
                self.scans += 1
        except errors as error:
            self._seconds_left()
            raise StatementError("the rows could not be fetched") from error

    def copy(self, statement: Any, sink: Sink, *, scans: int = 1) -> None:
        """Have a sink take the rows of a statement that reads the profiled rows, as binary COPY sends them.

        :param scans: as how many scans of the rows that counts; raises as :meth:`run` does.
        """
        with self._within_limits():
            self.connection.exec_driver_sql(
                f"COPY ({self.text(statement)}) TO STDOUT (FORMAT binary)", execution_options={SINK: sink}
            )
        self.scans += scans

    def text(self, statement: Any) -> str:
        """A statement as it is sent where nothing can be bound to it."""
        compiled = str(statement.compile(self.connection, compile_kwargs={"literal_binds": True}))
        # Drivers that mark parameters by `%` want every other one doubled.
        marked = self.connection.dialect.paramstyle in ("format", "pyformat")
        return compiled.replace("%%", "%") if marked else compiled

    def stream(self, source: Source, request: Any, *, scans: int = 1) -> Generator[Any]:
        """What ``source`` reads of the profiled rows, a part at a time.

        :param request: what its reader is to read.
        :param scans: as how many scans of the rows that counts.
        :raises StatementError: when it is refused, for whatever reason: the lane's own connection goes on.
        :raises ProfileTimeoutError: when the deadline is over.
        :raises CancelledError: when the lane was stopped.
        """
        left = self._seconds_left()
        errors = source.errors
        try:
            limit = None if left is None else left + _GRACE
            with closing(source.reader(self.connection, self._settings, limit)) as self._reader:
                self.queries += 1
                for part in self._reader.read(request):
                    self._seconds_left()
                    yield part
                self.scans += scans
        except errors as error:
            self._seconds_left()
            log.debug("streaming was refused: %s", driver_message(error, self._settings))
            raise StatementError("the rows could not be streamed") from error
        finally:
            self._reader = None

    def stop(self) -> None:
        """Stop what another thread is running here, and let nothing more begin."""
        self._stopped = True
        if (reader := self._reader) is not None:
            reader.cancel()
        try:
            self._dialect.cancel(self._driver, self.connection.engine)
        except (DBAPIError, self.connection.dialect.dbapi.Error) as error:  # type: ignore[union-attr]
            log.debug("the connection was gone before its statement could be stopped: %s", type(error).__name__)

    def _count(self, *_: Any) -> None:
        self.queries += 1


class Lanes:
    """Up to ``count`` lanes; fewer where the database does not grant as many.

    Leaving the context with an error stops the statements that are still running.

    :param deadline: when all work on them has to be done.
    """

    def __init__(
        self,
        engine: Engine,
        dialect: Dialect,
        settings: ConnectionSettings,
        count: int,
        deadline: Deadline | None = None,
    ) -> None:
        self._engine = engine
        self._dialect = dialect
        self._settings = settings
        self._count = count
        self._deadline = deadline or Deadline()
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
                raise self._unusable(error) from error
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

    def wait(self, work: Iterable[Future[T]]) -> list[T]:
        """The results of submitted work.

        :raises ProfileTimeoutError: when the deadline is over before all is done.
        """
        futures = list(work)
        done, late = wait(futures, self._deadline.left, FIRST_EXCEPTION)
        for future in futures:
            if future in done and future.exception() is not None:
                future.result()
        if late:
            raise self._deadline.error()
        return [future.result() for future in futures]

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
                    raise self._unusable(error) from error
                log.info("profiling with fewer connections: %s", driver_message(error, self._settings))
                break
            lanes.append(Lane(connection, self._dialect, self._settings, self._deadline))
        return lanes

    def _unusable(self, error: DBAPIError) -> Exception:
        return self._deadline.error() if self._deadline.over else connection_error(error, self._settings)


def _discard(lanes: Iterable[Lane]) -> None:
    """Drop connections that may be broken: rolling back on one would raise, and hide what broke it."""
    for lane in lanes:
        lane.connection.invalidate()
