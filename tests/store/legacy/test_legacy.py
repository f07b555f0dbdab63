"""The earlier integration's results, read as history."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import inspect

from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.profile import ColumnProfile
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store import EARLIER, OWN, Store
from tests.earlier import AMOUNT, Earlier
from tests.sent import statements_sent

IDENTITY = Identity("test", "warehouse")
ORDERS, HR_ORDERS = TableRef("orders", "sales"), TableRef("orders", "hr")
REFS = (ORDERS, HR_ORDERS)
ID = ("id", "INTEGER")
UTC = timezone.utc


@pytest.fixture
def history(store, earlier):
    """What is read of the test environment; the earlier integration's tables are there, and ours are not."""
    return store.results(IDENTITY, REFS)


def test_a_profile_is_read_with_numbers_for_numbers(history, earlier):
    earlier.profile("r1", "orders", {("amount", "NUMERIC(10, 2)"): AMOUNT, ("note", "TEXT"): {"min": "007", "x": "y"}})

    found = history.latest("sales.orders")

    assert (found.table_key, found.run_id, found.row_count, found.origin) == ("sales.orders", "r1", 3, EARLIER)
    assert found.profiled_at == datetime(2024, 1, 1, 10, tzinfo=UTC)
    amount, note = found.columns
    assert (amount.name, amount.type, amount.errors) == ("amount", "NUMERIC(10, 2)", {})
    assert amount.metrics == {
        "count": 3,
        "null_count": 1,
        "null_percent": 33.33333333333333,
        "distinct_count": 2,
        "distinct_percent": 66.66666666666666,
        "min": 7.0,
        "max": 10.5,
        "mean": 8.75,
        "stddev": None,
        "histogram": json.loads(AMOUNT["histogram"]),
    }
    assert note.metrics == {"min": "007", "x": "y"}


def test_a_retried_run_is_read_once_and_its_last_attempt_counts(history, earlier):
    columns = {ID: {"count": "3", "max": "3"}, ("gone", "TEXT"): {"count": "3"}}
    earlier.profile("r1", "orders", columns, at="2024-01-01 10:00:00")
    earlier.profile("r1", "orders", {ID: {"count": "4", "max": "4"}}, at="2024-01-01 10:05:00")
    earlier.profile("r1", "orders", {ID: {"count": "4", "max": "4"}}, at="2024-01-01 10:05:00")

    assert history.latest("sales.orders").columns == (ColumnProfile(*ID, {"count": 4, "max": 4}),)
    assert len(history.runs("sales.orders")) == 1


def test_a_column_whose_metrics_were_replaced_by_an_error_has_that_error(history, earlier):
    earlier.profile("r1", "orders", {ID: {"error": "no such function: stddev"}, ("n", "REAL"): {"error": None}})

    failed, silent = history.latest("sales.orders").columns

    assert (failed.metrics, failed.errors) == ({}, {"*": "no such function: stddev"})
    assert silent.errors == {"*": "the earlier integration kept no message"}


@pytest.mark.parametrize("one_row_a_run", [False, True])
def test_a_table_whose_run_row_was_dropped_for_another_schema_is_read_all_the_same(store, sql, one_row_a_run):
    earlier = Earlier(sql.run, sql.engine.dialect.name).create(one_row_a_run=one_row_a_run)
    earlier.profile("r1", "orders", {ID: {"count": "10", "max": "10"}}, row_count=10)
    second = {"schema": "hr", "row_count": 100, "one_row_a_run": one_row_a_run}
    earlier.profile("r1", "orders", {ID: {"count": "100", "max": "9"}}, **second)
    assert sql.count("profilemesh_runs") == 1
    history = store.results(IDENTITY, REFS)

    sales, hr = history.latest("sales.orders"), history.latest("hr.orders")

    assert (sales.row_count, sales.columns[0].metrics["max"]) == (10, 10)
    assert (hr.row_count, hr.columns[0].metrics["max"], hr.profiled_at) == (100, 9, sales.profiled_at)
    assert [run.run_id for run in history.runs("hr.orders")] == ["r1"]


def test_results_of_a_run_whose_environment_nothing_says_are_nobodys(history, earlier):
    earlier.metric("lost", "orders", *ID, "count", "3")
    earlier.profile("silent", "orders", {ID: {"count": "3"}}, environment=None)

    assert history.latest("sales.orders") is None
    assert history.runs("sales.orders") == []


def test_only_the_same_environment_schema_and_exact_name_count(history, earlier):
    for run_id, changes in {
        "a": {"environment": "production"},
        "b": {"environment": "TEST"},
        "c": {"schema": "SALES"},
        "d": {"schema": None},
        "e": {"table": "Orders"},
    }.items():
        earlier.profile(run_id, **{"table": "orders", "columns": {ID: {"count": "1"}}, **changes})

    assert history.latest("sales.orders") is None

    earlier.profile("f", "orders", {ID: {"count": "2"}})
    assert [run.run_id for run in history.runs("sales.orders")] == ["f"]


def test_names_that_differ_by_case_alone_are_two_tables(store, earlier):
    for schema, count in {"hr": "1", "SALES": "2", "sales": "3"}.items():
        earlier.profile("r1", "orders", {ID: {"count": count}}, schema=schema, row_count=int(count))
    history = store.results(IDENTITY, [ORDERS, TableRef("orders", "SALES")])

    assert history.latest("sales.orders").row_count == 3
    assert history.latest("SALES.orders").row_count == 2


@pytest.mark.parametrize("schema", [None, ""])
def test_a_table_without_a_schema_is_found(store, earlier, schema):
    earlier.profile("r1", "orders", {ID: {"count": "3"}}, schema=schema)

    assert store.results(IDENTITY, [TableRef("orders")]).latest("orders").run_id == "r1"


def test_times_in_a_file_are_compared_whatever_their_spelling(sqlite_settings, sql_of):
    Path(sqlite_settings.filepath).parent.mkdir()
    sql = sql_of(sqlite_settings)
    earlier = Earlier(sql.run, "sqlite").create()
    spelled = {
        "second": "2024-01-01T10:30:00Z",
        "first": "2024-01-01 11:00:00+02:00",
        "fourth": "2024-01-01 12:00:00.5",
        "third": "2024-01-01T06:00:00-05",
        "unreadable": "a while ago",
    }
    for run_id, at in spelled.items():
        earlier.profile(run_id, "orders", {ID: {"count": "3"}}, at=at)

    with Store(sqlite_settings) as store:
        history = store.results(IDENTITY, REFS)
        assert [run.run_id for run in history.runs("sales.orders")] == ["fourth", "third", "second", "first"]
        assert history.previous(history.profile("third", "sales.orders")).run_id == "second"
        assert history.profile("unreadable", "sales.orders") is None


def test_a_failed_run_is_listed_but_is_no_profile(history, earlier):
    earlier.profile("good", "orders", {ID: {"count": "3"}}, at="2024-01-01 10:00:00", status=None)
    earlier.profile("bad", "orders", {}, at="2024-01-02 10:00:00", status="failed", row_count=None)

    assert history.latest("sales.orders").run_id == "good"
    assert [(run.run_id, run.status, run.origin) for run in history.runs("sales.orders")] == [
        ("bad", "failed", EARLIER),
        ("good", "completed", EARLIER),
    ]


def test_a_row_count_that_is_nowhere_is_unknown(history, earlier):
    earlier.profile("r1", "orders", {ID: {"max": "3"}}, row_count=None)

    assert history.latest("sales.orders").row_count is None


def test_our_first_profile_is_preceded_by_the_last_of_the_earlier_integration(store, earlier, world_of):
    earlier.profile("old", "orders", {ID: {"count": "2"}}, at="2024-01-01 10:00:00")
    earlier.profile("new", "orders", {ID: {"count": "3"}}, at="2024-01-02 10:00:00")
    world, history = world_of(store), store.results(IDENTITY, REFS)
    assert history.latest("sales.orders").run_id == "new"

    world.put("orders")
    world.refresh()
    world.profile("sales.orders", run_id="ours")

    latest = history.latest("sales.orders")
    newer = history.previous(latest)
    older = history.previous(newer)
    assert [(each.run_id, each.origin) for each in (latest, newer, older)] == [
        ("ours", OWN),
        ("new", EARLIER),
        ("old", EARLIER),
    ]
    assert history.previous(older) is None
    assert history.profile("old", "sales.orders") == older
    assert [run.run_id for run in history.runs("sales.orders")] == ["ours", "new", "old"]
    assert [run.run_id for run in history.runs("sales.orders", limit=2)] == ["ours", "new"]
    assert store.results(IDENTITY).runs("sales.orders") == history.runs("sales.orders")[:1]


def test_a_profile_by_both_integrations_side_by_side_is_compared_with_what_came_before_it(store, earlier, world_of):
    world, history = world_of(store), store.results(IDENTITY, REFS)
    world.settle("orders")
    earlier.profile("later", "orders", {ID: {"count": "2"}}, at="2999-01-01 00:00:00")

    latest = history.latest("sales.orders")

    assert latest.origin == OWN
    assert history.previous(latest) is None
    assert [run.run_id for run in history.runs("sales.orders")] == ["later", latest.run_id]


def test_reading_makes_no_store_and_sends_nothing_but_select(store, history, earlier, sql):
    earlier.profile("r1", "orders", {ID: {"count": "3"}})
    before, tables = earlier.dump(), table_names(sql)
    with statements_sent() as statements:
        assert history.latest("sales.orders").run_id == "r1"
        assert history.runs("sales.orders")

    about = [statement for statement in statements if "profilemesh_r" in statement and "PRAGMA" not in statement]
    assert about
    assert {statement.split()[0].upper() for statement in about} <= {"SELECT", "SHOW", "DESCRIBE"}
    assert store.version()[0] is None
    assert table_names(sql) == tables
    assert earlier.dump() == before


def test_working_beside_the_earlier_integration_leaves_every_byte_of_its_tables(store, earlier, sql, world_of):
    earlier.profile("r1", "orders", {ID: {"count": "3"}, ("amount", "REAL"): AMOUNT})
    before, definitions = earlier.dump(), legacy_definitions(sql)
    world = world_of(store)

    store.upgrade()
    world.settle("orders")
    world.put("orders", version="2")
    world.refresh()
    world.ledger.fail(world.ledger.claim("sales.orders", "worker"), "boom")
    history = store.results(IDENTITY, REFS)
    assert history.previous(history.latest("sales.orders")).run_id == "r1"
    assert history.runs("sales.orders")

    assert earlier.dump() == before
    assert legacy_definitions(sql) == definitions


def legacy_definitions(sql):
    if sql.engine.dialect.name == "sqlite":
        return sql.run("SELECT * FROM sqlite_master WHERE tbl_name IN ('profilemesh_runs', 'profilemesh_results')")
    schema = "DATABASE()" if sql.engine.dialect.name == "mysql" else "current_schema()"
    names = f"table_schema = {schema} AND table_name IN ('profilemesh_runs', 'profilemesh_results')"
    return sql.run(f"SELECT * FROM information_schema.columns WHERE {names} ORDER BY table_name, column_name")


def table_names(sql):
    return set(inspect(sql.engine).get_table_names())


@pytest.mark.parametrize("lacks", ["environment", "metric_value"])
def test_a_foreign_table_that_merely_has_the_name_is_ignored(store, sql, lacks):
    earlier = Earlier(sql.run, sql.engine.dialect.name).create()
    earlier.profile("r1", "orders", {ID: {"count": "3"}})
    table = earlier.runs if lacks == "environment" else earlier.results
    sql.run(f"ALTER TABLE {table} RENAME COLUMN {lacks} TO other")

    assert store.results(IDENTITY, REFS).latest("sales.orders") is None
    store.upgrade()
    assert store.results(IDENTITY, REFS).runs("sales.orders") == []


def test_metric_rows_without_a_number_are_read_in_a_stable_order(store, sql):
    earlier = Earlier(sql.run, sql.engine.dialect.name).create(numbered=False)
    earlier.profile("r1", "orders", {("b", "INT"): {"max": "1", "count": "2"}, ("a", "INT"): {"count": "2"}})

    found = store.results(IDENTITY, REFS).latest("sales.orders")

    assert [(column.name, list(column.metrics)) for column in found.columns] == [
        ("a", ["count"]),
        ("b", ["count", "max"]),
    ]


def test_an_older_schema_of_ours_is_not_taken_for_no_results(store, monkeypatch, settings):
    store.upgrade()
    for module in ("store", "migrate"):
        monkeypatch.setattr(f"profilemesh_airflow.store.{module}.HEAD", "later")
    with Store(settings) as other, pytest.raises(StoreError, match=r"older schema \d+.*store upgrade"):
        other.results(IDENTITY, REFS).latest("sales.orders")


def test_a_file_that_is_not_there_has_no_results_and_is_not_made(sqlite_settings):
    with Store(sqlite_settings) as store:
        history = store.results(IDENTITY, REFS)
        assert history.latest("sales.orders") is None
        assert history.runs("sales.orders") == []
    assert not Path(sqlite_settings.filepath).exists()


def test_a_table_that_the_plan_qualifies_with_a_database_has_its_history(store, earlier):
    earlier.profile("r1", "orders", {ID: {"count": "3"}})
    ref = TableRef("orders", "sales", "shop")

    assert store.results(IDENTITY, [ref]).latest(ref.key).table_key == "shop.sales.orders"


def test_the_ledger_has_no_use_for_it(store, earlier):
    earlier.profile("r1", "orders", {ID: {"count": "3"}})

    assert store.ledger(IDENTITY, Policy()).baselines() == {}
