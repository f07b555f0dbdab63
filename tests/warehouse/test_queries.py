"""What a profile costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.core.plan import METRICS, TableSettings
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
    catalog = {"postgres": 1, "duckdb": 1, "sqlite": 2, "mysql": 3}[database.kind]  # some: with their BEGIN
    assert profile.queries == len(sent) - catalog
    # SQLite's texts are fetched together, and its truth values counted in the first scan.
    looks = 3 if database.kind == "sqlite" else len(info.columns)
    assert len(reading(sent)) == 1 + looks
    assert profile.rows_scanned == 10 * (1 + looks)


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
    spared = database.kind == "sqlite" and "distinct_count" in metrics  # the truth values are in the first scan
    assert len(reading(sent)) == scans - spared


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
    if database.kind == "mysql" and width == 1000:
        pytest.skip("a row of so many numbers is too long for it")
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
    assert sorted(statement.count("count(DISTINCT") for statement in sent if "DISTINCT" in statement) == [1, 2]
    for grouped, sorted_ in zip(before.columns, after.columns, strict=True):
        assert sorted_.metrics == close(grouped.metrics)
    assert after.columns[0].metrics["distinct_count"] == 120000


def test_histograms_of_sorted_columns_share_a_scan(postgres: Database, statements: Callable[[], Any]) -> None:
    """But for those with values that have no bin; and doubles whose squares vanish keep their standard deviation."""
    postgres.run(
        "CREATE TABLE t AS SELECT i AS a, CASE WHEN i % 3 > 0 THEN -i END AS b, i * 1e-200::float8 AS tiny,"
        " CASE i WHEN 5 THEN 'NaN' WHEN 6 THEN 'Infinity' ELSE i / 7.0::float8 END AS odd, i::real AS single"
        " FROM generate_series(1, 120000) AS g(i)"
    )
    before = postgres.profile("t")
    postgres.run("ANALYZE t")
    with statements() as sent:
        after = postgres.profile("t")
    binned = [statement.count("width_bucket") for statement in reading(sent) if "width_bucket" in statement]
    assert sorted(binned) == [1, 1, 3]
    for grouped, sorted_ in zip(before.columns, after.columns, strict=True):
        assert sorted_.metrics == close(grouped.metrics)
    assert after.columns[2].metrics["stddev"] == pytest.approx(34641.16e-200, rel=1e-6)


def test_not_many_columns_are_sorted_at_a_time(postgres: Database, statements: Callable[[], Any]) -> None:
    columns = ", ".join(f"i + {number} AS c{number}" for number in range(13))
    postgres.run(f"CREATE TABLE t AS SELECT {columns} FROM generate_series(1, 100000) AS g(i)")
    postgres.run("ANALYZE t")
    with statements() as sent:
        profile = postgres.profile("t", metrics=("distinct_count",))
    assert sorted(statement.count("count(DISTINCT") for statement in sent if "DISTINCT" in statement) == [4, 4, 5]
    assert [column.metrics["distinct_count"] for column in profile.columns] == [100000] * 13


def test_texts_and_exact_numbers_that_mostly_differ_are_counted_by_their_hash(
    postgres: Database, statements: Callable[[], Any]
) -> None:
    postgres.run(
        "CREATE TABLE t AS SELECT (i % 110000)::text || ' text' AS s, (i % 90000)::text::char(9) AS padded,"
        " CASE i WHEN 1 THEN 'NaN' ELSE (i % 50000) / 7.0 END AS n,"
        " CASE i % 3 WHEN 0 THEN NULL ELSE (i % 100001) * 10.0 ^ (i % 3) END AS scaled"
        " FROM generate_series(1, 120000) AS g(i)"
    )
    grouped = postgres.profile("t", metrics=METRICS)
    postgres.run("ANALYZE t")
    with statements() as sent:
        hashed = postgres.profile("t", metrics=METRICS)
    assert hashed.strategy is not None
    assert hashed.strategy["distinct_by_hash"] == ["s", "padded", "n", "scaled"]
    assert [statement.count("extended(") for statement in sent if "extended(" in statement] == [2, 2]
    for before, after in zip(grouped.columns, hashed.columns, strict=True):
        assert after.metrics == close(before.metrics)
    assert hashed.columns[0].metrics["distinct_count"] == 110000


def test_values_are_not_hashed_where_two_might_share_a_hash(postgres: Database) -> None:
    postgres.run("CREATE TABLE t AS SELECT i::text AS s FROM generate_series(1, 120000) AS g(i)")
    postgres.run("ANALYZE t")
    info = replace(postgres.info("t"), estimated_rows=6_100_000)
    profile = postgres.warehouse.profile(info, TableSettings(metrics=("distinct_count",)))
    assert profile.strategy is not None
    assert profile.strategy["distinct_by_hash"] == []
    assert profile.columns[0].metrics == {"distinct_count": 120000}


def test_columns_of_few_values_share_one_look(database: Database, statements: Callable[[], Any]) -> None:
    values = [(n % 7 or None, n % 50 - 20, (n * n) % 13 if n % 4 else None) for n in range(500)]
    database.create("t", {"a": "integer", "b": "integer", "c": "integer"}, values)
    with statements() as sent:
        profile = database.profile("t")
    assert len(reading(sent)) == 2
    assert profile.strategy is not None
    assert profile.strategy["together"] == [["a", "c", "b"]]
    for column, of_column in zip(profile.columns, zip(*values, strict=True), strict=True):
        check_numbers(column.metrics, of_column)


def test_texts_and_truth_values_of_few_values_are_looked_at_together(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE t AS SELECT CASE WHEN i % 5 > 0 THEN repeat('x', i % 5) END AS s, i % 3 = 0 AS b,"
        " date '2024-01-01' + i % 20 AS at FROM generate_series(1, 120000) AS g(i)"
    )
    metrics = (*METRICS, "min_length", "max_length", "avg_length")
    alone = postgres.profile("t", metrics=metrics)
    postgres.run("ANALYZE t")
    together = postgres.profile("t", metrics=metrics)
    assert together.strategy is not None
    assert together.strategy["together"] == [["b", "s", "at"]]
    for before, after in zip(alone.columns, together.columns, strict=True):
        assert after.metrics == close(before.metrics)
    assert together.columns[0].metrics["distinct_count"] == 4
    assert together.columns[0].metrics["avg_length"] == 2.5


@pytest.mark.parametrize(
    ("metrics", "queries"),
    [(("zero_count", "negative_count", "empty_count", "min_text"), 1), (("p05", "p95", "top_values"), 1 + 2)],
)
def test_plain_counts_cost_no_scan_and_all_ranks_of_a_column_one(
    database: Database, statements: Callable[[], Any], metrics: tuple[str, ...], queries: int
) -> None:
    database.create("t", {"i": "integer", "s": "text"}, [(n, str(n)) for n in range(10)])
    with statements() as sent:
        database.profile("t", metrics=metrics)
    assert len(reading(sent)) == queries
