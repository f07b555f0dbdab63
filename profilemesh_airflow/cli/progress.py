"""What a command says on stderr while it works: progress, and log messages."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from profilemesh_airflow.cli.grid import printable
from profilemesh_airflow.core.profile import OF_ROWS
from profilemesh_airflow.usecases.outcome import Failed, Profiled, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.progress import Progress, TaskID

    from profilemesh_airflow.cli.session import Session
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.outcome import Outcome


class _Handler(logging.Handler):
    def __init__(self, session: Session) -> None:
        super().__init__(logging.INFO if session.debug else logging.WARNING)
        self._session = session

    def emit(self, record: logging.LogRecord) -> None:
        text = self._session.hide(printable(record.getMessage()))
        # Not click.echo: while a bar is drawn, rich puts what is written to sys.stderr above it.
        print(f"{record.levelname.lower()}: {text}", file=sys.stderr, flush=True)


@contextmanager
def logged(session: Session) -> Iterator[None]:
    """Show the log messages of this package on stderr: warnings, and with ``--debug`` what is done.

    Those of other packages are not shown: what matters of them comes as an error, and they know no secret of ours.
    """
    ours, root = logging.getLogger("profilemesh_airflow"), logging.getLogger()
    shown, silent = _Handler(session), logging.NullHandler()
    before = ours.level, ours.propagate
    ours.addHandler(shown)
    root.addHandler(silent)
    ours.setLevel(shown.level)
    ours.propagate = False
    try:
        yield
    finally:
        ours.setLevel(before[0])
        ours.propagate = before[1]
        root.removeHandler(silent)
        ours.removeHandler(shown)


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Show a spinner, where stderr is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(doing):
        yield


class Reporter:
    """Tells how far profiling is: a bar where stderr is a terminal, else one line for each profiled table.

    Failures and warnings are log messages, so they are not told here a second time.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Reporter:
        console = Console(stderr=True)
        if console.is_terminal and self._total:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            name = TextColumn("{task.description}", markup=False)
            self._bar = Progress(
                BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), name, console=console, transient=True
            )
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: TableRef | Outcome) -> None:
        """Take note of a table that is looked at next, or of what became of it."""
        finished = isinstance(event, (Profiled, Skipped, Failed))
        self._done += finished
        if self._bar is not None and self._task is not None:
            name = "" if finished else printable(str(event))
            self._bar.update(self._task, completed=self._done, description=name)
        elif isinstance(event, Profiled):
            rows = f"{event.profile.row_count} rows{OF_ROWS.get(event.profile.rows_of, '')}"
            found = f"{rows}, {len(event.profile.columns)} columns"
            done = f"[{self._done}/{self._total}] {event.ref.key}: {found} in {event.profile.seconds:.1f} s"
            print(done, file=sys.stderr, flush=True)
