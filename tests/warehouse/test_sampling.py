"""Profiling a sample of a table."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.plan import Partition, Sampling
from profilemesh_airflow.exceptions import NotBuiltError, ProfileError
from profilemesh_airflow.warehouse.strata import allocate

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.core.profile import TableProfile
    from tests.warehouse.databases import Database

ROWS = 4000
COLUMNS = {"id": "integer", "few": "integer", "half": "double", "word": "text", "day": "date"}


def row(number: int) -> tuple[Any, ...]:
    day = None if number % 50 == 0 else f"2024-01-{number % 4 + 1:02}"
    return number, number % 10, number / 2, f"w{number % 7}", day


@pytest.fixture(scope="module")
def orders(shared_database: Database) -> Database:
    shared_database.create("orders", COLUMNS, [row(number) for number in range(ROWS)])
    return shared_database


def sample(database: Database, sampling: Sampling, **more: Any) -> TableProfile:
    profile = database.profile("orders", sampling=sampling, **more)
    assert all(column.errors == {} for column in profile.columns)
    return profile


def metrics(profile: TableProfile) -> dict[str, Any]:
    return {column.name: column.metrics for column in profile.columns}


def of_rows(profile: TableProfile) -> int:
    """The number of rows that each statement saw: the same one, whatever it counted."""
    found = metrics(profile)
    assert profile.rows_of == "sample"
    for column in ("id", "half"):
        counts = {profile.row_count, found[column]["count"], found[column]["distinct_count"]}
        assert counts == {profile.row_count}
        assert sum(each["count"] for each in found[column]["histogram"] or []) == profile.row_count
    return profile.row_count


@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_every_statement_sees_the_same_share_of_the_rows(orders: Database, fraction: float) -> None:
    profile = sample(orders, Sampling("random", fraction))
    rows = of_rows(profile)
    assert abs(rows - fraction * ROWS) < 5 * (ROWS * fraction * (1 - fraction)) ** 0.5
    assert metrics(profile)["id"]["mean"] == pytest.approx(ROWS / 2, rel=0.2)


def test_a_seed_gives_the_same_rows_again_and_another_seed_others(orders: Database) -> None:
    first, again, other = (metrics(sample(orders, Sampling("random", 0.05, seed=seed))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_smaller_sample_is_a_part_of_a_larger_one(orders: Database) -> None:
    profiles = [sample(orders, Sampling("random", fraction)) for fraction in (0.01, 0.1, 0.4, 1.0)]
    for small, large in pairwise(map(metrics, profiles)):
        assert large["id"]["min"] <= small["id"]["min"] <= small["id"]["max"] <= large["id"]["max"]
    assert of_rows(profiles[-1]) == ROWS


@pytest.mark.parametrize("method", ["random", "stratified", "topk"])
@pytest.mark.parametrize("most", [1, 10, 300])
def test_there_are_never_more_rows_than_allowed(orders: Database, method: str, most: int) -> None:
    rows = of_rows(sample(orders, Sampling(method, 0.5, most, by="few")))
    assert rows == most


@pytest.mark.parametrize("by", ["few", "word", "day"])
def test_strata_keep_their_shares(orders: Database, by: str) -> None:
    """Of a column with NULLs too, to the row."""
    profile = sample(orders, Sampling("stratified", 0.1, by=by))
    assert of_rows(profile) == ROWS / 10
    whole = metrics(orders.profile("orders"))[by]
    drawn = metrics(profile)[by]
    assert drawn["distinct_count"] == whole["distinct_count"]
    assert abs(drawn["null_count"] - whole["null_count"] / 10) < 1
    if by == "few":
        assert [each["count"] for each in drawn["histogram"]] == [40] * 10
        assert profile.strategy["sample"]["strata"] == 10


def test_strata_are_those_of_the_partition_key_where_no_column_is_named(orders: Database) -> None:
    days = Partition("day", "specific_values", values=("2024-01-01", "2024-01-03"))
    profile = sample(orders, Sampling("stratified", 0.1), partition=days)
    assert profile.strategy["sample"]["by"] == "day"
    assert metrics(profile)["day"]["distinct_count"] == 2


def test_one_stratum_is_a_random_sample(orders: Database) -> None:
    assert metrics(sample(orders, Sampling("stratified", 0.1))) == metrics(sample(orders, Sampling("random", 0.1)))


def test_the_top_rows_have_the_greatest_values(orders: Database) -> None:
    top = metrics(sample(orders, Sampling("topk", 0.01, by="id")))
    assert (top["id"]["min"], top["id"]["max"], top["id"]["count"]) == (ROWS - 40, ROWS - 1, 40)


def test_of_equal_values_only_as_many_rows_as_are_wanted_are_among_the_top(orders: Database) -> None:
    top = metrics(sample(orders, Sampling("topk", 1.0, 500, by="few")))
    assert (top["few"]["count"], top["few"]["min"], top["few"]["distinct_count"]) == (500, 8, 2)
    assert metrics(sample(orders, Sampling("topk", 1.0, by="day")))["day"]["null_count"] == 0


def test_a_sample_is_drawn_of_the_selected_partitions(orders: Database) -> None:
    profile = sample(orders, Sampling("random", 0.5), partition=Partition("day", "latest"))
    assert metrics(profile)["day"]["distinct_count"] == 1
    assert 300 < of_rows(profile) < 700


def test_every_statement_names_the_sample(orders: Database, statements: Callable[[], Any]) -> None:
    with statements() as sent:
        profile = sample(orders, Sampling("random", 0.25, seed=7))
    reading = [statement for statement in sent if " AS t" in statement and "sqlite_master" not in statement]
    how = {
        "postgres": "TABLESAMPLE bernoulli(25.0) REPEATABLE (7)",
        "sqlite": "t.rowid &",
        "duckdb": "hash(t.rowid, 7)",
        "mysql": "md5(concat_ws(',', 7, quote(",
    }[orders.kind]
    assert len(reading) == 1 + len(COLUMNS) - (orders.kind == "sqlite")  # where two texts are fetched together
    assert all(how in statement for statement in reading)
    assert profile.strategy["sample"]["fraction"] == 0.25


def test_of_a_large_postgres_table_only_the_drawn_blocks_are_read(
    postgres: Database, statements: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profilemesh_airflow.warehouse.sampling._MANY_BLOCKS", 10)
    postgres.run("CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 50000) AS g(i)", "ANALYZE orders")
    with statements() as sent:
        profile = postgres.profile("orders", sampling=Sampling("random", 0.2))
    assert sum("TABLESAMPLE system(20.0) REPEATABLE (0)" in statement for statement in sent) == 2
    assert 5000 < profile.row_count < 15000
    assert profile.rows_scanned == 2 * profile.row_count


def test_rows_that_are_read_and_left_count_as_scanned(postgres: Database) -> None:
    postgres.run("CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 5000) AS g(i)", "ANALYZE orders")
    profile = postgres.profile("orders", sampling=Sampling("random", 0.2))
    assert profile.rows_scanned == 2 * 5000


def test_a_cap_that_the_catalog_foresees_costs_one_count(postgres: Database, statements: Callable[[], Any]) -> None:
    postgres.run("CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 200000) AS g(i)", "ANALYZE orders")
    with statements() as sent:
        profile = postgres.profile("orders", sampling=Sampling("random", 1.0, 20000), metrics=("count",))
    assert sum("TABLESAMPLE" in statement for statement in sent) == 2
    assert 19000 < profile.row_count <= 20000


@pytest.mark.parametrize("relation", ["VIEW v AS SELECT * FROM orders", "MATERIALIZED VIEW v AS SELECT * FROM orders"])
def test_a_view_in_postgres_is_sampled_too(postgres: Database, relation: str) -> None:
    postgres.create("orders", {"t": "integer", "we%ird": "text"}, [(number, None) for number in range(1000)])
    postgres.run(f"CREATE {relation}")
    for sampling in (Sampling("random", 0.5), Sampling("topk", 0.5, by="t")):
        assert 400 < postgres.profile("v", sampling=sampling).row_count < 600


def test_inherited_and_partitioned_rows_are_sampled_too(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE orders (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF orders FOR VALUES FROM (0) TO (1000)",
        "CREATE TABLE high PARTITION OF orders FOR VALUES FROM (1000) TO (2000)",
        "INSERT INTO orders SELECT generate_series(0, 1999)",
    )
    for method in ("random", "stratified"):
        by = "id" if method == "topk" else None
        profile = postgres.profile("orders", sampling=Sampling(method, 0.5, by=by))
        assert 850 < profile.row_count < 1150
    top = postgres.profile("orders", sampling=Sampling("topk", 0.75, by="id")).columns[0].metrics
    assert (top["count"], top["min"]) == (1500, 500)


@pytest.mark.parametrize(
    "ddl", ["CREATE TABLE v (a INTEGER PRIMARY KEY) WITHOUT ROWID", "CREATE VIEW v AS SELECT 1 AS a"]
)
def test_rows_that_cannot_be_told_apart_are_not_sampled(sqlite: Database, ddl: str) -> None:
    sqlite.run(ddl)
    with pytest.raises(NotBuiltError, match=r"v: no repeatable sample can be drawn.*remove `sampling`"):
        sqlite.profile("v", sampling=Sampling("random", 0.5))


def test_rowids_of_any_size_are_sampled_evenly(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    ids = [number * step for step in (1, 2**40, -(2**43)) for number in range(1, 2001)]
    sqlite.insert("orders", [(number,) for number in sorted(set(ids))])
    for seed in range(3):
        assert 1300 < sqlite.profile("orders", sampling=Sampling("random", 0.25, seed=seed)).row_count < 1700


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (Sampling("topk", 0.1), "topk needs `by`"),
        (Sampling("topk", 0.1, by="x"), "sampling.by 'x' is not a column of it; it has id, few"),
        (Sampling("reservoir", 0.1), "unknown sampling method 'reservoir'; one of random, stratified, topk"),
        (Sampling("stratified", 0.1, by="id"), "id has more than 500 different values"),
    ],
)
def test_a_sample_that_makes_no_sense_is_refused(orders: Database, sampling: Sampling, message: str) -> None:
    with pytest.raises(ProfileError, match=f"orders.*{message}"):
        orders.profile("orders", sampling=sampling)


def test_a_sample_of_nothing_is_empty(database: Database) -> None:
    database.create("orders", {"id": "integer"})
    for method in ("random", "stratified", "topk"):
        assert database.profile("orders", sampling=Sampling(method, 0.5, 5, by="id")).row_count == 0


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), st.floats(1e-6, 1), st.none() | st.integers(1, 1000))
def test_rows_are_allocated_in_proportion(sizes: list[int], fraction: float, most: int | None) -> None:
    numbers = allocate(sizes, fraction, most)
    total = sum(sizes)
    assert sum(numbers) == min(round(total * fraction), most or total)
    for number, size in zip(numbers, sizes, strict=True):
        assert 0 <= number <= size
        assert abs(number - size * sum(numbers) / total) < 1
