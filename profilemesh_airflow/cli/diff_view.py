"""What would be profiled, and why, as text and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.grid import Cell, Grid, printable, show as show_grid
from profilemesh_airflow.cli.markdown import code, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.proposal import Proposal, Proposed

#: So many tables, and so many reasons of one, are shown in Markdown: a comment of GitHub's ends at 65,536 characters.
MOST_TABLES, MOST_REASONS, LONGEST_VALUE = 50, 8, 120

_HEADERS = ("table", "why", "rows", "bytes", "DAG")
_RIGHT = frozenset({"rows", "bytes"})
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def show(proposal: Proposal) -> None:
    """Print what would be profiled: one row a table, then what is unknown, and all in one line."""
    rows: list[tuple[Cell, ...]] = [
        (each.ref.key, tuple(map(str, each.reasons)), _count(each.rows), _size(each.size), each.dag_id)
        for each in proposal.tables
    ]
    rows += [(ref.key, "removed", "", "", "") for ref in proposal.removed]
    if rows:
        show_grid(Grid(_HEADERS, rows, _RIGHT))
    for note in proposal.notes:
        click.echo(printable(note))
    click.echo(printable(f"against {proposal.against}: {_summary(proposal)}"))


def as_markdown(proposal: Proposal) -> str:
    """The same as Markdown: for a comment on a pull request."""
    shown = proposal.tables[:MOST_TABLES]
    more = len(proposal.tables) - len(shown)
    parts = [f"### ProfileMesh: {prose(_summary(proposal))}", f"Compared with {code(proposal.against)}."]
    if shown:
        parts.append(table(_HEADERS, [_row(each) for each in shown]))
    if more:
        parts.append(f"And {more} more tables.")
    if proposal.removed:
        names = ", ".join(code(ref.key) for ref in proposal.removed[:MOST_TABLES])
        rest = len(proposal.removed) - MOST_TABLES
        parts.append(f"No longer profiled: {names}{f' and {rest} more' if rest > 0 else ''}.")
    parts += [f"> {prose(note)}" for note in proposal.notes]
    return "\n\n".join(parts)


def _row(proposed: Proposed) -> list[str]:
    why = "<br>".join(_reasons(proposed.reasons))
    return [code(proposed.ref.key), why, _count(proposed.rows), _size(proposed.size), code(proposed.dag_id)]


def _reasons(reasons: tuple[Reason, ...]) -> Iterator[str]:
    for reason in reasons[:MOST_REASONS]:
        text = str(reason)
        yield prose(text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…")
    if len(reasons) > MOST_REASONS:
        yield f"and {len(reasons) - MOST_REASONS} more"


def _summary(proposal: Proposal) -> str:
    count = len(proposal.tables)
    if not count and not proposal.removed:
        return f"nothing would be profiled, {proposal.unchanged} unchanged"
    about = f" (about {_count(proposal.rows)} rows, {_size(proposal.size)})" if proposal.rows is not None else ""
    parts = [f"{count} {'table' if count == 1 else 'tables'} would be profiled{about if count else ''}"]
    parts += [f"{len(proposal.removed)} removed"] if proposal.removed else []
    parts += [f"{proposal.unchanged} unchanged"] if proposal.unchanged else []
    return ", ".join(parts)


def _count(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _size(size: int | None) -> str:
    if size is None:
        return "unknown"
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.3g} {_UNITS[unit]}" if unit else f"{size} B"
