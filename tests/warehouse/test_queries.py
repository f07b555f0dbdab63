"""What a profile costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.oracle import check_numbers, close

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.warehouse.databases import Database


def reading(sent: list[str]) -> list[str]:
    """The statements that read the profiled rows."""
    return [statement for statement in sent if "AS t" in statement and "sqlite_master" not in statement]


def test_one_scan_for_all_columns_and_one_look_at_each(database: Database, statements: Callable[[], Any]) -> None:
    columns = {"i": "integer", "d": "double", "s": "text", "b": "boolean", "at": "date"}
    database.create("t", columns, [(n, n / 2, str(n), bool(n % 2), "2024-01-01") for n in range(10)])
    info = database.info("t")
    with statements() as sent:
        profile = database.profile("t")
    catalog = 1 if database.kind == "postgres" else 2  # SQLite: with its BEGIN
    assert profile.queries == len(sent) - catalog
    assert len(reading(sent)) == 1 + len(info.columns)
    assert profile.rows_scanned == 10 * (1 + len(info.columns))


@pytest.mark.parametrize(
    ("metrics", "scans"),
    [
        (("count",), 1),
        (("count", "null_count", "null_percent"), 1),
        (("min", "max", "mean"), 1),
        (("min_length", "avg_length"), 1),
        (("distinct_count",), 4),
        (("stddev",), 2),
        (("histogram",), 2),
        ((), 1),
    ],
)
def test_metrics_that_are_not_wanted_cost_nothing(
    database: Database, statements: Callable[[], Any], metrics: tuple[str, ...], scans: int
) -> None:
    database.create("t", {"i": "integer", "s": "text", "b": "boolean"}, [(n, str(n), True) for n in range(10)])
    with statements() as sent:
        database.profile("t", metrics=metrics)
    assert len(reading(sent)) == scans


def test_a_constant_or_empty_column_of_numbers_is_not_looked_at_again(
    database: Database, statements: Callable[[], Any]
) -> None:
    database.create("t", {"i": "integer", "d": "double"}, [(7, None)] * 10)
    with statements() as sent:
        constant, empty = database.profile("t").columns
    assert len(reading(sent)) == 1
    check_numbers(constant.metrics, [7] * 10)
    check_numbers(empty.metrics, [None] * 10)


def test_values_that_are_not_finite_cost_one_scan_more(postgres: Database, statements: Callable[[], Any]) -> None:
    rows = [(float("nan"), float("inf"), 1.0), (1.0, 2.0, 3.0)]
    postgres.create("t", {"a": "double", "b": "double", "c": "double"}, rows)
    with statements() as sent:
        postgres.profile("t")
    assert len(reading(sent)) == 1 + 1 + 3


@pytest.mark.parametrize("width", [400, 1000])
def test_wide_tables_take_a_few_scans(database: Database, statements: Callable[[], Any], width: int) -> None:
    names = [f"a column with a name {number}" for number in range(width)]
    database.create("t", dict.fromkeys(names, "integer"), [tuple(range(width)), tuple(range(1, width + 1))])
    with statements() as sent:
        profile = database.profile("t", metrics=("null_count", "min", "max", "mean"))
    assert len(reading(sent)) == -(-(4 * width + 1) // 1500)
    assert [column.metrics["mean"] for column in profile.columns] == [number + 0.5 for number in range(width)]


def test_a_column_of_mostly_different_values_is_sorted_rather_than_grouped(
    postgres: Database, statements: Callable[[], Any]
) -> None:
    """The result is the same, whichever way it is computed."""
    postgres.run(
        "CREATE TABLE t AS SELECT i, i % 5 AS few, (i * 7919) % 200003 / 7.0::float8 AS many,"
        " timestamp '2024-01-01' + i * interval '1 second' AS at FROM generate_series(1, 120000) AS g(i)"
    )
    before = postgres.profile("t")
    postgres.run("ANALYZE t")
    with statements() as sent:
        after = postgres.profile("t")
    assert sum("count(DISTINCT" in statement for statement in sent) == 3
    for grouped, sorted_ in zip(before.columns, after.columns, strict=True):
        assert sorted_.metrics == close(grouped.metrics)
    assert after.columns[0].metrics["distinct_count"] == 120000
