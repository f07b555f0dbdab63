"""What the demo shows: which tables were profiled, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class TableRun:
    """A finished run of a table's profiling DAG.

    :param event: what the asset event said that started it: table key and reasons.
    :param summary: what the task ``profile`` returned.
    """

    table: str
    dag_id: str
    run_id: str
    event: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def kinds(self) -> set[str]:
        """The kinds of reasons it was profiled for."""
        return {reason["kind"] for reason in self._differences}

    @property
    def why(self) -> str:
        """The reasons it was profiled for, in words."""
        return "; ".join(map(in_words, self._differences))

    @property
    def _differences(self) -> list[Mapping[str, Any]]:
        # Who asked for the look is the same for all of them.
        return [reason for reason in self.event["reasons"] if reason["kind"] != "requested"]


def in_words(reason: Mapping[str, Any]) -> str:
    """One reason: kind, what differs, before and after."""
    kind, field, before, after = (reason[name] for name in ("kind", "field", "before", "after"))
    if kind == "added":
        return "added: never profiled before"
    if isinstance(before, list) and isinstance(after, list):
        gone = [str(item) for item in before if item not in after]
        new = [str(item) for item in after if item not in before]
        parts = [f"without {', '.join(gone)}"] * bool(gone) + [f"with {', '.join(new)}"] * bool(new)
        return f"{kind}: {field} now {' and '.join(parts) or 'in another order'}"
    return f"{kind}: {field} {_or_none(before)} -> {_or_none(after)}"


def runs_table(runs: Iterable[TableRun]) -> Table:
    """The profiled tables, with what the profile read and why it was made."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("table")
    for name in ("rows", "columns", "queries", "seconds"):
        shown.add_column(name, justify="right")
    shown.add_column("why", overflow="fold")
    for run in sorted(runs, key=lambda run: run.table):
        work = run.summary["metadata"]
        shown.add_row(
            run.table,
            f"{run.summary['row_count']:,}",
            str(run.summary["columns_profiled"]),
            str(work["queries"]),
            f"{work['seconds']:.2f}",
            escape(run.why),
        )
    return shown


def results_table(columns: Iterable[Mapping[str, Any]], metrics: Iterable[str]) -> Table:
    """Some metrics of some columns, as ``profilemesh-airflow results --format json`` has them."""
    names = list(metrics)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("column")
    for name in names:
        shown.add_column(name, justify="right")
    for column in columns:
        values = [_number(column["metrics"].get(name)) for name in names]
        shown.add_row(escape(column["column"]), *map(escape, values))
    return shown


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
