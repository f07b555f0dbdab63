"""Tables on stdout: drawn with rich on a terminal, aligned text anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table
    from rich.text import Text

#: One text, or several that stand below each other.
Cell = str | tuple[str, ...]

#: A longer table is not drawn: rich takes seconds for 10,000 rows.
MOST_DRAWN_ROWS = 500

_NO_STYLES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Grid:
    """Rows under headers.

    :param right: headers of the columns that are aligned to the right.
    :param styles: how a cell that holds exactly this text looks, as rich names it.
    """

    headers: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    right: frozenset[str] = frozenset()
    styles: Mapping[str, str] = field(default_factory=lambda: _NO_STYLES)


def show(grid: Grid) -> None:
    """Print a grid on stdout. Nothing is cut: a terminal wraps it, and elsewhere a row is one line, however long."""
    console = Console()
    if console.is_terminal and len(grid.rows) <= MOST_DRAWN_ROWS:
        console.print(_drawn(grid))
    else:
        click.echo("\n".join(_lines(grid)))


def printable(text: str) -> str:
    """``text`` with control characters escaped, so that a name from a database cannot steer the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _drawn(grid: Grid) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in grid.headers:
        table.add_column(header, overflow="fold", justify="right" if header in grid.right else "left")
    for row in grid.rows:
        table.add_row(*(_text(cell, grid.styles) for cell in row))
    return table


def _text(cell: Cell, styles: Mapping[str, str]) -> Text:
    from rich.text import Text

    lines = (cell,) if isinstance(cell, str) else cell
    return Text("\n".join(map(printable, lines)), style=styles.get(cell, "") if isinstance(cell, str) else "")


def _lines(grid: Grid) -> list[str]:
    rows = [grid.headers, *(tuple(_one_line(cell) for cell in row) for row in grid.rows)]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    columns = [(width, header in grid.right) for width, header in zip(widths, grid.headers, strict=True)]
    return [
        "  ".join(_padded(cell, *column) for cell, column in zip(row, columns, strict=True)).rstrip() for row in rows
    ]


def _one_line(cell: Cell) -> str:
    return printable(cell if isinstance(cell, str) else "; ".join(cell))


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
