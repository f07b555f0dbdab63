"""The latest profile of one table, as a document and as text."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow.cli.grid import Grid, printable, show
from profilemesh_airflow.core.profile import OF_ROWS
from profilemesh_airflow.core.wording import to_the_second
from profilemesh_airflow.store import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.store import StoredProfile

#: A longer value ends in an ellipsis; the JSON document has all of it.
_LONGEST_VALUE = 40

_BARS = " ▁▂▃▄▅▆▇█"

#: Header of the text, and the metrics that stand under it.
_VIEW = {
    "nulls": ("null_count", "null_percent"),
    "distinct": ("distinct_count", "distinct_percent"),
    "min": ("min",),
    "max": ("max",),
    "mean": ("mean",),
    "stddev": ("stddev",),
    "lengths": ("min_length", "avg_length", "max_length"),
    "histogram": ("histogram",),
    "quantiles": ("p05", "p25", "p50", "p75", "p95"),
    "zero": ("zero_count",),
    "negative": ("negative_count",),
    "empty": ("empty_count",),
    "first and last text": ("min_text", "max_text"),
    "true": ("true_count",),
    "false": ("false_count",),
    "most frequent": ("top_values",),
}


def results_document(profile: StoredProfile) -> dict[str, Any]:
    """The profile as JSON-safe data; a metric that could not be computed is among the errors instead."""
    return {
        "table_key": profile.table_key,
        "run_id": profile.run_id,
        "profiled_at": profile.profiled_at.astimezone(timezone.utc).isoformat(),
        "row_count": profile.row_count,
        "rows_of": profile.rows_of,
        "origin": profile.origin,
        "columns": [
            {
                "column": column.name,
                "type": column.type,
                "metrics": dict(column.metrics),
                "errors": dict(column.errors),
            }
            for column in profile.columns
        ],
    }


def show_results(profile: StoredProfile) -> None:
    """Print the profile: one row a column, then what could not be computed."""
    moment = to_the_second(profile.profiled_at)
    rows = "unknown number of" if profile.row_count is None else profile.row_count
    by = "" if profile.origin == OWN else f", by the {profile.origin}"
    of = OF_ROWS.get(profile.rows_of, "")
    click.echo(printable(f"{profile.table_key}: {rows} rows{of}, profiled at {moment}, run {profile.run_id}{by}"))
    present = {name for column in profile.columns for name in column.metrics}
    view = {header: names for header, names in _VIEW.items() if present.intersection(names)}
    grid = [
        (column.name, column.type, *(_cell(column.metrics, names) for names in view.values()))
        for column in profile.columns
    ]
    if grid:
        show(Grid(("column", "type", *view), grid))
    for column in profile.columns:
        for metric, error in column.errors.items():
            what = "not profiled" if metric == "*" else f"{metric} failed"
            click.echo(printable(f"{column.name} ({column.type}): {what}: {error}"))


def _cell(metrics: Mapping[str, Any], names: Sequence[str]) -> str:
    known = [(name, metrics[name]) for name in names if metrics.get(name) is not None]
    return (" " if names[-1].endswith("percent") else " / ").join(_text(name, value) for name, value in known)


def _text(name: str, value: Any) -> str:
    # Of the earlier integration there is whatever text it kept.
    if name == "histogram" and not isinstance(value, str):
        return _sparkline([each["count"] for each in value])
    if name == "top_values":
        value = ", ".join(f"{each['value']} ({each['count']})" for each in value)
    if name.endswith("percent") and not isinstance(value, str):
        return f"({value:.3g} %)"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _sparkline(counts: Sequence[int]) -> str:
    highest, most = len(_BARS) - 1, max(counts, default=0)
    # Rounded up, so that a bin with a single value among many is not shown as an empty one.
    return "".join(_BARS[-(-count * highest // most)] if most else _BARS[0] for count in counts)
