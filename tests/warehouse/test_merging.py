"""A table's profile put together from its partitions, of which only some are read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from profilemesh_airflow.core.merge import MERGEABLE
from profilemesh_airflow.core.plan import TableSettings
from tests.examples import examples
from tests.warehouse.oracle import close

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.core.merge import PartitionState
    from profilemesh_airflow.core.profile import TableProfile
    from profilemesh_airflow.warehouse import Reading
    from tests.warehouse.databases import Database

MERGED = TableSettings(metrics=MERGEABLE)
COLUMNS = {
    "k": "text",
    "i": "integer",
    "d": "double",
    "n": "decimal",
    "s": "text",
    "b": "boolean",
    "day": "date",
    "at": "timestamp",
}
ROWS = [
    ("a", 1, 0.5, "1.25", "x", True, "2024-01-01", "2024-01-01 00:00:00"),
    ("a", 2, None, "-3", None, False, "1899-12-31", "2024-01-01 00:00:00.5"),
    ("b", 2**60, 1e100, "1e15", "xyz", None, None, None),
    ("b", None, -5e99, "0", "", True, "2024-02-29", "1999-12-31 23:59:59"),
    (None, 7, 7.0, "7", "x", True, "2024-01-01", "2024-01-01 00:00:00"),
    ("c", 7, 7.0, "7", "x", True, "2024-01-01", "2024-01-01 00:00:00"),
    ("c", 7, 7.0, "7", "x", True, "2024-01-01", "2024-01-01 00:00:00"),
    ("d", *[None] * 7),
]


@pytest.fixture
def orders(database: Database) -> Database:
    database.create("orders", COLUMNS, ROWS)
    return database


def known(reading: Reading, key: str = "k") -> dict[str, PartitionState]:
    """What a full profile leaves behind."""
    found = reading.partitions(key)
    assert found is not None
    states = reading.states(key, found, MERGED)
    assert states is not None
    return states


def again(reading: Reading, before: dict[str, PartitionState], key: str = "k") -> tuple[list[Any], TableProfile]:
    """The values of the partitions that have to be read again, and the merged profile."""
    now = reading.partitions(key)
    assert now is not None
    changed = {digest: state for digest, state in now.items() if before.get(digest, state).version != state.version} | {
        digest: state for digest, state in now.items() if digest not in before
    }
    read = reading.states(key, changed, MERGED)
    assert read is not None
    states = {digest: read.get(digest, before.get(digest)) for digest in now}
    return [state.value for state in changed.values()], reading.merged(states, MERGED)


def assert_same(merged: TableProfile, whole: TableProfile) -> None:
    assert merged.row_count == whole.row_count
    for one, other in zip(merged.columns, whole.columns, strict=True):
        assert (one.name, one.type, one.errors) == (other.name, other.type, other.errors)
        assert one.metrics == close(other.metrics), one.name
        assert {name: type(value) for name, value in one.metrics.items()} == {
            name: type(value) for name, value in other.metrics.items()
        }


def test_merged_partitions_are_the_whole(orders: Database) -> None:
    with orders.warehouse.reading(orders.info("orders")) as reading:
        states = known(reading)
        assert sorted(map(str, (state.value for state in states.values()))) == ["None", "a", "b", "c", "d"]
        assert_same(reading.merged(states, MERGED), reading.profile(MERGED))


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("INSERT INTO orders (k, i) VALUES ('b', 5)", ["b"]),
        ("INSERT INTO orders (k, i) VALUES ('new', 5), (NULL, 9)", ["None", "new"]),
        ("DELETE FROM orders WHERE k = 'c' AND i = 7", []),
        ("DELETE FROM orders WHERE d = 0.5", ["a"]),
    ],
)
def test_only_changed_partitions_are_read_again(
    orders: Database, statements: Callable[[], Any], statement: str, changed: list[str]
) -> None:
    with orders.warehouse.reading(orders.info("orders")) as reading:
        before = known(reading)
    orders.run(statement)
    with orders.warehouse.reading(orders.info("orders")) as reading:
        with statements() as sent:
            values, merged = again(reading, before)
        assert sorted(map(str, values)) == changed
        assert_same(merged, reading.profile(MERGED))
    reading_rows = [each for each in sent if " AS t" in each and "sqlite_master" not in each]
    assert len(reading_rows) <= (3 if changed else 1)
    assert all("WHERE" in each for each in reading_rows[1:])


def test_in_postgres_an_update_in_place_is_seen_too(postgres: Database) -> None:
    postgres.create("orders", COLUMNS, ROWS)
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        before = known(reading)
    postgres.run("UPDATE orders SET i = i + 1 WHERE k = 'c'", "VACUUM FULL orders")
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        values, merged = again(reading, before)
        assert values == ["c"]
        assert_same(merged, reading.profile(MERGED))


def test_values_that_are_not_finite_are_left_out_of_the_same_metrics(postgres: Database) -> None:
    rows = [("a", math.nan, "NaN"), ("a", 1.0, "2"), ("b", math.inf, "3"), ("b", math.nan, "NaN"), ("c", 5.0, None)]
    postgres.create("orders", {"k": "text", "d": "double", "n": "decimal"}, rows)
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        assert_same(reading.merged(known(reading), MERGED), reading.profile(MERGED))


@pytest.mark.parametrize("key", ["day", "at"])
def test_keys_of_dates_and_times_divide_a_table(orders: Database, key: str) -> None:
    info = orders.info("orders")
    with orders.warehouse.reading(info) as reading:
        before = known(reading, key)
    assert {state.value for state in before.values()} >= {None}
    orders.insert("orders", [("e", 8, 8.0, "8", "new", False, "2024-02-29", "1999-12-31 23:59:59")])
    with orders.warehouse.reading(orders.info("orders")) as reading:
        changed, merged = again(reading, before, key)
        assert len(changed) == 1
        assert_same(merged, reading.profile(MERGED))


@pytest.mark.parametrize("kind", ["date", "timestamptz", "uuid", "boolean", "numeric", "mood"])
def test_keys_of_any_postgres_type_divide_a_table(postgres: Database, kind: str) -> None:
    values = {
        "boolean": ("true", "false"),
        "numeric": ("1.10", "NaN"),
        "mood": ("sad", "so so"),
        "uuid": ("ffffffff-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    }.get(kind, ("2024-07-01", "infinity"))
    postgres.run("CREATE TYPE mood AS ENUM ('sad', 'so so')", f"CREATE TABLE orders (k {kind}, i int)")
    for number, value in enumerate((*values, *values)):
        postgres.run(f"INSERT INTO orders VALUES ('{value}', {number})")
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        states = known(reading)
        assert sorted(state.rows for state in states.values()) == [2, 2]
        assert_same(reading.merged(states, MERGED), reading.profile(MERGED))


def test_a_partitioned_postgres_table_is_compared_by_its_key(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE orders (k int, i int) PARTITION BY LIST (k)",
        *(f"CREATE TABLE orders_{k} PARTITION OF orders FOR VALUES IN ({k})" for k in (1, 2)),
        "INSERT INTO orders VALUES (1, 10), (2, 20), (2, 30)",
    )
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        before = known(reading)
    postgres.run("UPDATE orders SET i = 31 WHERE i = 30")
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        values, merged = again(reading, before)
        assert (values, merged.columns[1].metrics["max"]) == (["2"], 31)
        assert_same(merged, reading.profile(MERGED))


@pytest.mark.parametrize("view", ["v", "without_rowid"])
def test_where_nobody_can_tell_which_rows_changed_there_are_no_partitions(database: Database, view: str) -> None:
    database.create("orders", COLUMNS, ROWS)
    if view == "without_rowid" and database.kind == "sqlite":
        database.run("CREATE TABLE without_rowid (k TEXT PRIMARY KEY) WITHOUT ROWID")
    else:
        database.run(f"CREATE VIEW {view} AS SELECT * FROM orders")
    with database.warehouse.reading(database.info(view)) as reading:
        assert reading.partitions("k") is None


def test_a_key_with_too_many_values_does_not_divide_a_table(orders: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilemesh_airflow.warehouse.partition_states.MOST_PARTITIONS", 4)
    with orders.warehouse.reading(orders.info("orders")) as reading:
        assert reading.partitions("k") is None


def test_a_sum_that_overflows_leaves_nothing_to_merge(postgres: Database) -> None:
    postgres.create("orders", {"k": "text", "d": "double"}, [("a", 1.7e308), ("a", 1.6e308), ("b", 1.0)])
    with postgres.warehouse.reading(postgres.info("orders")) as reading:
        assert reading.states("k", reading.partitions("k") or {}, MERGED) is None
        assert reading.profile(MERGED).row_count == 3


def test_only_what_is_wanted_of_a_column_is_merged(orders: Database) -> None:
    wanted = replace(MERGED, metrics=("null_count", "max"))
    with orders.warehouse.reading(orders.info("orders")) as reading:
        states = reading.states("k", reading.partitions("k") or {}, wanted)
        assert states is not None
        assert_same(reading.merged(states, wanted), reading.profile(wanted))


NUMBERS = st.none() | st.integers(-(2**40), 2**40)
FLOATS = st.none() | st.floats(-1e9, 1e9, allow_subnormal=False)
ANY_ROWS = st.lists(st.tuples(st.none() | st.sampled_from("abc"), NUMBERS, FLOATS), min_size=1, max_size=25)


@given(ANY_ROWS, ANY_ROWS)
@hypothesis_settings(
    max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_rows_and_any_that_come_later_give_the_profile_of_the_whole(
    shared_database: Database, rows: list[Any], later: list[Any]
) -> None:
    shared_database.create("any_rows", {"k": "text", "i": "integer", "d": "double"}, rows)
    with shared_database.warehouse.reading(shared_database.info("any_rows")) as reading:
        before = known(reading)
    shared_database.insert("any_rows", later)
    with shared_database.warehouse.reading(shared_database.info("any_rows")) as reading:
        values, merged = again(reading, before)
        assert set(values) == {row[0] for row in later}
        assert_near(merged, reading.profile(MERGED))


def assert_near(merged: TableProfile, whole: TableProfile) -> None:
    """Where values cancel, the last digits are those of the spread, not of the mean."""
    assert merged.row_count == whole.row_count
    for one, other in zip(merged.columns, whole.columns, strict=True):
        spread = max((abs(other.metrics.get(name) or 0) for name in ("min", "max") if one.name != "k"), default=0)
        for name, value in other.metrics.items():
            expected = pytest.approx(value, rel=1e-9, abs=spread * 1e-9) if isinstance(value, float) else value
            assert one.metrics[name] == expected, (one.name, name)
