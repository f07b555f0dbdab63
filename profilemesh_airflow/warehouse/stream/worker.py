"""A process of its own that reads SQLite files through ADBC and measures what it reads.

ADBC's driver brings an SQLite of its own, and two of them on one file in one process undo each other's locks
(sqlite.org/howtocorrupt.html, 2.2.1). It is asked, and answers, in pickles over its standard input and output; it ends
when the process that started it closes its input, or dies.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import reduce
from operator import or_
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import adbc_driver_manager
import adbc_driver_sqlite
import numpy as np
import polars as pl
import pyarrow

from profilemesh_airflow.warehouse.stream.columns import MAX_EXACT
from profilemesh_airflow.warehouse.stream.intake import look_through
from profilemesh_airflow.warehouse.stream.messages import Refusal
from profilemesh_airflow.warehouse.stream.series import series_of_arrow
from profilemesh_airflow.warehouse.stream.source import SEVERAL_TYPES, Batch, UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from profilemesh_airflow.warehouse.stream.intake import Intake
    from profilemesh_airflow.warehouse.stream.messages import Request
    from profilemesh_airflow.warehouse.stream.source import Findings

T = TypeVar("T")

#: Values that come at a time, of all columns together: one for each so many bytes that may be kept, and at most so
#: many. The fewest rows: every batch costs some work a column.
_SHARE = 64
_VALUES = 2**20
_FEWEST_ROWS = 1024

#: Rows that are looked at to see which of its types a column comes in.
_SOME = 100

#: What makes the driver read a column as a type: it takes that of the first row.
_EXAMPLES = {"Int64": "0", "Float64": "0.0", "String": "''"}

#: The first row is told from the others by this, in the place of what marks rows.
_FIRST = -1

#: As many columns as one number marks.
_BITS = 60

#: Numbers are less than every text, and blobs are greater; asking for the type by name would take twice as long.
_MARK = "CASE WHEN +c{0} < '' OR +c{0} >= x'' THEN {1} ELSE 0 END"
_SAMPLE = "SELECT * FROM ({}) LIMIT {}"
_ROWS_AFTER_FIRST = "SELECT {} UNION ALL SELECT {} FROM ({})"

_MISMATCH = re.compile(r"Type mismatch in column (\d+)")

#: What reading refuses with.
_ERRORS = (adbc_driver_manager.Error, pyarrow.ArrowException, OSError)


class File:
    """Connections to one file, which read at one moment of the data from :meth:`begin` to :meth:`end`."""

    def __init__(self, uri: str, readers: int) -> None:
        self._pool = ThreadPoolExecutor(readers)
        self._free: SimpleQueue[adbc_driver_manager.AdbcConnection] = SimpleQueue()
        self._connections = []
        with ExitStack() as stack:
            for _ in range(readers):
                database = stack.enter_context(adbc_driver_sqlite.connect(uri))
                connection = stack.enter_context(adbc_driver_manager.AdbcConnection(database))
                connection.set_autocommit(False)
                self._connections.append(connection)
                self._free.put(connection)
            self._open = stack.pop_all()

    def begin(self) -> None:
        """A transaction begins when something is read."""
        for connection in self._connections:
            for _ in _batches(connection, "SELECT count(*) FROM sqlite_master"):
                pass

    def end(self) -> None:
        """Give up the moment, and the locks."""
        for connection in self._connections:
            connection.rollback()

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        self._open.close()

    def look(self, request: Request) -> Findings:
        """Read and measure; a column that turns out to be of another type is tried as that, in one more pass."""
        types = self._types(request)
        unfit: dict[int, str] = {}
        while True:
            places = [place for place in range(len(types)) if place not in unfit]
            try:
                findings = self._look(request, [(place, types[place][0]) for place in places])
            except _ERRORS as error:
                place = _mismatched(error, places)
                del types[place][0]
                if not types[place]:
                    unfit[place] = SEVERAL_TYPES
                if len(unfit) == len(types):
                    raise
            else:
                findings.unfit |= unfit
                return findings

    def _look(self, request: Request, columns: Sequence[tuple[int, str]]) -> Findings:
        wishes = [request.wishes[place] for place, _ in columns]
        values = min(_VALUES, int(request.limit) // _SHARE)
        size = max(values // max(len(columns), 1), _FEWEST_ROWS)

        def rows_of(part: str) -> Callable[[Any, Intake], None]:
            return lambda connection, intake: intake.read(_rows(part, columns, size, connection))

        found = look_through(self._crew, [*map(rows_of, request.parts)], wishes, request.limit, request.bins)
        places = [place for place, _ in columns]
        found.found = {places[at]: each for at, each in found.found.items()}
        found.unfit = {places[at]: each for at, each in found.unfit.items()}
        found.put_off = [places[at] for at in found.put_off]
        return found

    def _types(self, request: Request) -> list[list[str]]:
        """The types to try, beginning with that of the first rows."""
        (batch,) = list(_batches(self._connections[0], _SAMPLE.format(request.parts[0], _SOME))) or [None]
        ladders = [list(wish.field.types) for wish in request.wishes]
        for place, ladder in enumerate(ladders):
            column = pl.Series([]) if batch is None else series_of_arrow(batch.column(place))
            seen = str(column.dtype)
            if column.null_count() < len(column) and seen in ladder:
                del ladder[: ladder.index(seen)]
        return ladders

    def _crew(self, work: Iterable[Callable[[Any], T]]) -> list[T]:
        def by_one(piece: Callable[[Any], T]) -> T:
            connection = self._free.get()
            try:
                return piece(connection)
            finally:
                self._free.put(connection)

        return list(self._pool.map(by_one, work))


def _rows(part: str, columns: Sequence[tuple[int, str]], size: int, connection: Any) -> Generator[Batch]:
    """Batches of ``size`` rows; the driver silently makes texts of what is stored among them: such rows are marked."""
    texts = [at for at, (_, kind) in enumerate(columns) if kind == "String"]
    chunks = [texts[start : start + _BITS] for start in range(0, len(texts), _BITS)] or [[]]
    marks = [
        " + ".join(_MARK.format(columns[at][0], 2**bit) for bit, at in enumerate(chunk)) or "0" for chunk in chunks
    ]
    first = [_EXAMPLES[kind] for _, kind in columns] + [str(_FIRST) for _ in marks]
    others = [f"c{place}" for place, _ in columns] + marks
    statement = _ROWS_AFTER_FIRST.format(", ".join(first), ", ".join(others), part)
    leading = 1
    for batch in _batches(connection, statement, size):
        if leading and batch.column(len(columns))[0].as_py() != _FIRST:
            raise OSError("the rows came in another order")
        batch, leading = batch.slice(leading), 0
        rows = [_series(column) for column in batch.columns[: len(columns)]]
        for chunk, mask in zip(chunks, batch.columns[len(columns) :], strict=True):
            marked = reduce(or_, mask.unique().to_pylist(), 0)
            for bit, at in enumerate(chunk):
                if marked >> bit & 1:
                    rows[at] = UnfitError(SEVERAL_TYPES)
        yield Batch(batch.num_rows, rows)


def _batches(connection: Any, statement: str, size: int = _FEWEST_ROWS) -> Iterator[Any]:
    with adbc_driver_manager.AdbcStatement(connection) as cursor:
        cursor.set_options(**{"adbc.sqlite.query.batch_rows": str(size)})
        cursor.set_sql_query(statement)
        stream, _ = cursor.execute_query()
        with pyarrow.RecordBatchReader.from_stream(stream) as batches:
            yield from batches


def _series(column: Any) -> pl.Series | UnfitError:
    """What does not mean here what it means to SQLite is unfit."""
    if pyarrow.types.is_string(column.type):
        try:
            column.validate(full=True)
        except pyarrow.ArrowInvalid:
            return UnfitError("holds texts that are not UTF-8")
        if (texts := column.buffers()[-1]) is not None and not np.frombuffer(texts, np.uint8).all():
            return UnfitError("holds texts with a NUL, which to SQLite ends them")
    series = series_of_arrow(column)
    if series.dtype == pl.Float64 and (series.is_finite() & (series.abs() >= MAX_EXACT)).any():
        return UnfitError("holds numbers of which a double may not be exact")
    return series


def _mismatched(error: Exception, places: Sequence[int]) -> int:
    """The place of the column that the driver could not read; what else went wrong is raised."""
    match = _MISMATCH.search(str(error))
    if match is None or int(match.group(1)) >= len(places):
        raise error
    return places[int(match.group(1))]


class Server:
    """Answers one question at a time, by the method of its name."""

    def __init__(self) -> None:
        self._uri = ""
        self._file: File | None = None

    def begin(self, uri: str, readers: int) -> bool:
        """Read the file as it is now."""
        if self._file is None or self._uri != uri:
            self._forget()
            self._file, self._uri = File(uri, readers), uri
        try:
            self._file.begin()
        except _ERRORS:
            self._forget()
            raise
        return True

    def look(self, request: Request) -> Findings:
        """Read and measure."""
        assert self._file is not None
        return self._file.look(request)

    def end(self) -> bool:
        """Hold no lock on the file any more."""
        if self._file is not None:
            self._file.end()
        return True

    def answer(self, name: str, *arguments: Any) -> Any:
        """The answer, or why there is none."""
        try:
            return getattr(self, name)(*arguments)
        except _ERRORS as error:
            return Refusal(str(error))

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def main() -> None:
    """Serve whoever started this process, until the input ends."""
    questions: SimpleQueue[Any] = SimpleQueue()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")

    def listen() -> None:
        while True:
            try:
                questions.put(pickle.load(sys.stdin.buffer))
            except EOFError:
                # Whatever is being read: nobody waits for it any more.
                os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    server = Server()
    while True:
        pickle.dump(server.answer(*questions.get()), answers)
        answers.flush()
