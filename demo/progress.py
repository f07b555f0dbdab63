"""What is going on, said all the time: as a live line on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import TaskID

#: Where there is no live line, a step speaks again after so many seconds if it has news, and if it has none.
_NEWS_SECONDS, _NO_NEWS_SECONDS = 2.0, 10.0


class Step:
    """One step of the demo while it is being done.

    :param title: what is done, in a few words.
    :param total: how many things are to be counted, if it is known.
    """

    def __init__(self, console: Console, title: str, total: int | None = None) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._detail = ""
        self._spoken_at = time.monotonic()
        self._started_at = time.monotonic()
        self._live: Progress | None = None
        self._task: TaskID | None = None

    def say(self, detail: str, completed: int | None = None) -> None:
        """Tell how far it is."""
        if self._live is not None and self._task is not None:
            self._live.update(self._task, detail=escape(detail), completed=completed)
            return
        now = time.monotonic()
        if now - self._spoken_at >= (_NO_NEWS_SECONDS if detail == self._detail else _NEWS_SECONDS):
            self._console.print(f"     {now - self._started_at:4.0f} s  {escape(detail)}", soft_wrap=True)
            self._spoken_at, self._detail = now, detail

    @contextmanager
    def running(self) -> Iterator[Step]:
        """Show the step until the block is left, then say how it ended and how long it took."""
        outcome = "[bold red]failed[/]"
        try:
            if self._console.is_terminal:
                with self._bar() as self._live:
                    self._task = self._live.add_task(self._title, total=self._total, detail="")
                    yield self
            else:
                self._console.print(f"...  {self._title}", soft_wrap=True)
                yield self
            outcome = "[green]done[/]"
        finally:
            seconds = time.monotonic() - self._started_at
            self._console.print(f"{outcome} {self._title} [dim]({seconds:.1f} s)[/]", soft_wrap=True)

    def _bar(self) -> Progress:
        bar = [BarColumn(bar_width=20)] if self._total else []
        return Progress(
            SpinnerColumn("line"),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=len(self._title))),
            *bar,
            TextColumn("[dim]{task.fields[detail]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            transient=True,
        )
