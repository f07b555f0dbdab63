from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from demo.report import TableRun, in_words, results_table, runs_table


@pytest.mark.parametrize(
    ("kind", "field", "before", "after", "words"),
    [
        ("added", "table", None, "flights", "added: never profiled before"),
        ("data", "version", "rows=1", "rows=2", "data: version rows=1 -> rows=2"),
        ("settings", "metrics", ["count", "mean"], ["count"], "settings: metrics now without mean"),
        ("settings", "metrics", ["count"], ["count", "min", "max"], "settings: metrics now with min, max"),
        ("settings", "metrics", ["min"], ["max"], "settings: metrics now without min and with max"),
        ("settings", "metrics", ["a", "b"], ["b", "a"], "settings: metrics now in another order"),
        ("settings", "histogram_bins", 10, 20, "settings: histogram_bins 10 -> 20"),
        ("settings", "histogram_bins", 10, None, "settings: histogram_bins 10 -> none"),
    ],
)
def test_a_reason_in_words(kind: str, field: str, before: Any, after: Any, words: str) -> None:
    assert in_words({"kind": kind, "field": field, "before": before, "after": after}) == words


def test_the_table_of_runs_shows_what_the_run_itself_says() -> None:
    reasons = [{"kind": "data", "field": "version", "before": "[1]", "after": "[2]"}]
    summary = {"row_count": 337276, "columns_profiled": 19, "metadata": {"queries": 3, "seconds": 2.346}}
    run = TableRun("flights", "dag", "run", {"table_key": "flights", "reasons": reasons}, summary)
    assert run.kinds == {"data"}
    assert _text(runs_table([run])).splitlines()[1].split() == [
        *("flights", "337,276", "19", "3", "2.35"),
        *("data:", "version", "[1]", "->", "[2]"),
    ]


def test_the_table_of_results_shows_a_missing_metric_as_a_dash() -> None:
    columns = [{"column": "carrier", "type": "TEXT", "metrics": {"count": 1200, "min": "9E"}}]
    assert _text(results_table(columns, ["count", "min", "mean"])).splitlines()[1].split() == [
        *("carrier", "1,200", "9E", "-"),
    ]


def _text(table: Any) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]
