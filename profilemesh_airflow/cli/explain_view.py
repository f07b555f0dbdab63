"""An explanation as text and as Markdown: the same lines, in another dress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.grid import Grid, printable, show as show_grid
from profilemesh_airflow.cli.markdown import code, prose, table
from profilemesh_airflow.core.diff import shown
from profilemesh_airflow.core.profile import OF_ROWS
from profilemesh_airflow.core.wording import times, to_the_second

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.store import StoredRun
    from profilemesh_airflow.usecases.explain import Explanation, Story

_HEADERS = ("why", "field", "before", "after")


def show(explanation: Explanation) -> None:
    """Print an explanation: where the table stands, then its changes, the newest first."""
    click.echo(printable(f"{explanation.ref.key}: {explanation.answer.state}"))
    for line in _now(explanation):
        click.echo(printable(f"  {line}"))
    _show_reasons(explanation.reasons)
    for story in explanation.history:
        click.echo()
        click.echo(printable(_title(story.change)))
        for line in _lines(story):
            click.echo(printable(f"  {line}"))
        _show_reasons(story.change.reasons)


def as_markdown(explanation: Explanation) -> str:
    """The same as Markdown."""
    answer = explanation.answer
    parts = [f"### {code(explanation.ref.key)}: {prose(answer.state)}", _bullets(_now(explanation))]
    parts += _table_of(explanation.reasons)
    for story in explanation.history:
        parts += [f"#### {prose(_title(story.change))}", _bullets(_lines(story)), *_table_of(story.change.reasons)]
    return "\n\n".join(filter(None, parts))


def _now(explanation: Explanation) -> Iterator[str]:
    answer = explanation.answer
    yield answer.why
    yield f"next: {answer.then}"
    yield from explanation.notes
    if not explanation.history:
        yield "no change of it is in the ledger"


def _title(change: LedgerEntry) -> str:
    return f"{to_the_second(change.detected_at)}: change {change.change_id[:8]}, {change.outcome or change.state}"


def _lines(story: Story) -> Iterator[str]:
    """What happened to a change, in the order in which it did."""
    change = story.change
    if change.rings:
        yield f"rung {times(change.rings)}" + (f", last at {to_the_second(change.rung_at)}" if change.rung_at else "")
    if change.deferrals:
        yield f"deferred {times(change.deferrals)} in a row, as the budget of a refresh was spent"
    if change.claimed_at:
        by = f" by {change.claimed_by}" if change.claimed_by else ""
        yield f"claimed{by} at {to_the_second(change.claimed_at)}"
    for run in reversed(story.runs):
        yield _run(run)
        if run.reasons != change.reasons:
            yield f"  because of {'; '.join(map(str, run.reasons))}"
        if run.rung:
            yield f"  what was read: {run.rung}, as {run.rung_reason}" if run.rung_reason else f"  read: {run.rung}"
    if change.postponed:
        yield f"put off by its worker: {change.postponed}"
    if change.closed_at:
        yield f"closed as {change.outcome} at {to_the_second(change.closed_at)}"


def _run(run: StoredRun) -> str:
    where = f"by DAG run {run.dag_run_id} of {run.dag_id}" if run.dag_run_id else f"by {run.worker}"
    if run.error:
        kind = f"{run.error_type}: " if run.error_type else ""
        return f"failed at {to_the_second(run.profiled_at)} {where}: {kind}{run.error}"
    took = "" if run.duration_seconds is None else f", in {run.duration_seconds:.2f} s"
    rows = "" if run.row_count is None else f", {run.row_count} rows{OF_ROWS.get(run.rows_of or 'table', '')}"
    return f"profiled at {to_the_second(run.profiled_at)} {where}{took}{rows} (run {run.run_id})"


def _show_reasons(reasons: Sequence[Reason]) -> None:
    if reasons:
        show_grid(Grid(_HEADERS, [tuple(row) for row in _rows(reasons)]))


def _table_of(reasons: Sequence[Reason]) -> list[str]:
    rows = ([prose(kind), *(code(cell) if cell else "" for cell in cells)] for kind, *cells in _rows(reasons))
    return [table(_HEADERS, rows)] if reasons else []


def _rows(reasons: Iterable[Reason]) -> Iterator[list[str]]:
    for reason in reasons:
        yield [reason.kind, reason.field, shown(reason.before), shown(reason.after)]


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"{'  ' * line.startswith('  ')}- {prose(line.strip())}" for line in lines)
