"""The earlier integration's results, made the store's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store import EARLIER, OWN, LeftOut, Store, TableNames, legacy_copy
from tests.earlier import Earlier
from tests.store.legacy.adoption import ID, IDENTITY, REFS, RENAMED, fill, history_of, tables_of


def test_what_was_history_stays_the_same_history(store, filled, sql):
    before, rows = history_of(store), filled.dump()

    adopted = store.adopt(IDENTITY, REFS)

    assert history_of(store) == before
    assert {run.origin for _, runs in before for run, _ in runs} == {EARLIER}
    assert adopted.renamed == RENAMED
    assert replace(filled, runs="profilemesh_runs_legacy", results="profilemesh_results_legacy").dump() == rows
    with Store(store._database.settings) as another:
        assert history_of(another) == before


def test_it_is_told_how_many_rows_were_taken_over(store, filled, sql):
    copied = store.adopt(IDENTITY, REFS).copied

    # r2 was retried: the three rows of its first attempt are those that are repeated.
    assert (copied.runs, copied.metric_rows, copied.repeated, copied.left_out) == (8, 18, 3, [])
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (8, 18)
    assert sql.count("profilemesh_results_legacy") == 18 + 3


def test_a_dashboard_of_the_earlier_integration_goes_on(store, filled, sql):
    question = (
        "SELECT r.environment, r.schema_name, r.dataset_name, r.row_count, m.column_name, m.metric_name, m.metric_value"
        " FROM profilemesh_runs r JOIN profilemesh_results m ON m.run_id = r.run_id"
        " AND m.dataset_name = r.dataset_name AND m.schema_name = r.schema_name"
        " WHERE r.run_id = 'r1' AND m.metric_name IN ('count', 'mean') ORDER BY r.schema_name, m.metric_name"
    )
    before = [tuple(row) for row in sql.run(question)]

    store.adopt(IDENTITY, REFS)

    hr = ("test", "hr", "orders", 100, "id", "count", "100")
    assert [tuple(row) for row in sql.run(question)] == [hr, *before]
    assert sql.one("SELECT numeric_value FROM profilemesh_results WHERE metric_name = 'mean'") == 8.75


def test_each_run_gets_its_own_environment_the_source_and_the_key_of_the_plan(store, filled, sql):
    store.adopt(IDENTITY, REFS)

    rows = sql.run(
        "SELECT run_id, environment, source_name, table_key, database_name, status, column_count, worker, reasons"
        " FROM profilemesh_runs ORDER BY run_id, table_key"
    )
    assert [tuple(row)[:7] for row in rows] == [
        ("r1", "test", "warehouse", "hr.orders", None, "completed", 1),
        ("r1", "test", "warehouse", "sales.orders", None, "completed", 2),
        ("r2", "test", "warehouse", "sales.orders", None, "completed", 1),
        ("r3", "test", "warehouse", "items", None, "completed", 1),
        ("r4", "test", "warehouse", "items", None, "failed", 0),
        ("r5", "production", "warehouse", "sales.orders", None, "completed", 1),
        ("r6", "test", "warehouse", "shop.sales.users", "shop", "completed", 1),
        ("r7", "test", "warehouse", "sales.elsewhere", None, "completed", 1),
    ]
    assert {tuple(row)[7:] for row in rows} == {(EARLIER, "[]")}


@pytest.mark.parametrize("one_row_a_run", [False, True])
def test_tables_that_refer_to_each_other_are_adopted_too(store, sql, one_row_a_run):
    earlier = Earlier(sql.run, sql.engine.dialect.name).create(one_row_a_run=one_row_a_run)
    fill(earlier, one_row_a_run=one_row_a_run)

    assert store.adopt(IDENTITY, REFS).copied.runs == 8
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        sql.run(
            "INSERT INTO profilemesh_results SELECT 'nobody', table_key, column_position, metric_name, schema_name,"
            " dataset_name, column_name, column_type, metric_value, value_type, numeric_value, error, profiled_at,"
            " approximate FROM profilemesh_results WHERE run_id = 'r7'"
        )


def test_where_there_is_nothing_to_adopt_nothing_is_done(store, settings):
    assert store.earlier() is None
    assert store.adopt(IDENTITY, REFS) is None
    assert store.version()[0] is not None
    assert tables_of(settings) >= {"profilemesh_runs", "profilemesh_results"}


def test_a_second_adoption_finds_nothing(store, filled, sql):
    assert store.earlier().as_dict() == {"runs": 7, "metric_rows": 21, "renames": RENAMED}
    store.adopt(IDENTITY, REFS)

    assert store.earlier() is None
    assert store.adopt(IDENTITY, REFS) is None
    assert sql.count("profilemesh_runs") == 8


def test_a_table_profiled_by_us_before_and_after_has_one_history(store, filled, world_of):
    world = world_of(store)
    world.settle("orders")

    store.adopt(IDENTITY, REFS)
    world.put("orders", version="2")
    world.refresh()
    world.profile("sales.orders")

    history = store.results(IDENTITY, REFS)
    assert [run.origin for run in history.runs("sales.orders")] == [OWN, OWN, EARLIER, EARLIER]
    latest = history.latest("sales.orders")
    assert history.previous(history.previous(latest)).run_id == "r2"
    assert world.ledger.baselines()["sales.orders"].run_id == latest.run_id


def test_an_adopted_table_is_still_to_be_profiled(store, filled, world_of):
    store.adopt(IDENTITY, REFS)
    world = world_of(store)
    world.put("orders")

    assert [entry.key for entry in world.refresh()] == ["sales.orders"]


def test_a_name_that_is_taken_stops_it_before_anything_is_done(store, filled, settings, sql):
    sql.run("CREATE TABLE profilemesh_results_legacy (x INTEGER)")
    store.upgrade()
    before, tables = filled.dump(), tables_of(settings)

    with pytest.raises(StoreError, match=r"nothing was adopted.*profilemesh_results_legacy already.*--adopt"):
        store.adopt(IDENTITY, REFS)

    assert (filled.dump(), tables_of(settings)) == (before, tables)
    assert sql.count("profilemesh_runs_airflow") == 0


def test_what_cannot_be_understood_is_named_and_stays(store, filled, sql):
    filled.metric("lost", "orders", *ID, "count", "1")
    filled.metric("lost", "orders", *ID, "max", "1")
    filled.profile("silent", "orders", {ID: {"count": "1"}}, environment=None)
    filled.profile("far", "orders", {ID: {"count": "1"}}, environment="e" * 49 + "é")
    filled.profile("long", "orders", {ID: {"count": "1", "m" * 65: "1"}})
    filled.profile("nameless", "orders", {("", "TEXT"): {"count": "1"}})

    copied = store.adopt(IDENTITY, REFS).copied

    assert sorted(copied.left_out, key=lambda left: left.run_id) == [
        LeftOut("far", "sales.orders", 2, f"its run_id or its environment ({'e' * 49}é) is too long, or not ASCII"),
        LeftOut("long", "sales.orders", 1, "without a column or a metric that can be named"),
        LeftOut("lost", "sales.orders", 2, "no run row says which environment it is of"),
        LeftOut("nameless", "sales.orders", 1, "without a column or a metric that can be named"),
        LeftOut("silent", "sales.orders", 2, "no run row says which environment it is of"),
    ]
    assert (copied.runs, copied.metric_rows, copied.repeated) == (8 + 2, 18 + 1, 3)
    assert sql.count("profilemesh_results_legacy") == 18 + 3 + 7


def test_rows_of_tables_that_lost_their_constraints_are_named_or_counted_once(store, sql):
    loose = Earlier(sql.run, sql.engine.dialect.name).create(strict=False)
    loose.profile("r1", "orders", {ID: {"count": "1"}}, row_count=1)
    sql.run("INSERT INTO profilemesh_runs SELECT * FROM profilemesh_runs")
    loose.metric(None, "orders", *ID, "count", "1")
    loose.metric("r1", None, *ID, "count", "1")
    loose.metric("r1", "orders", None, None, "count", "1")
    loose.metric("r1", "orders", *ID, None, "1")
    loose.metric("r1", "items", *ID, "max", "1", at=None)

    copied = store.adopt(IDENTITY, REFS).copied

    assert (copied.runs, copied.metric_rows, copied.repeated) == (1, 1, 1)
    assert sorted(copied.left_out, key=str) == [
        LeftOut("", "sales.orders", 1, "it has no run_id"),
        LeftOut("r1", "sales.", 1, "it has no table name"),
        LeftOut("r1", "sales.items", 1, "its time cannot be read"),
        LeftOut("r1", "sales.orders", 2, "without a column or a metric that can be named"),
    ]


@pytest.mark.parametrize("limit", ["_RUNS_AT_ONCE", "_ROWS_AT_ONCE"])
def test_it_is_the_same_whether_much_or_little_is_copied_at_once(store, filled, sql, monkeypatch, limit):
    monkeypatch.setattr(legacy_copy, limit, 2)
    before = history_of(store)

    copied = store.adopt(IDENTITY, REFS).copied

    assert (copied.runs, copied.metric_rows, copied.repeated, copied.left_out) == (8, 18, 3, [])
    assert history_of(store) == before


def test_a_run_that_is_there_already_is_not_overwritten(store, filled, world_of):
    world = world_of(store)
    world.put("orders")
    world.refresh()
    world.profile("sales.orders", run_id="r2")

    (left,) = store.adopt(IDENTITY, REFS).copied.left_out

    assert left == LeftOut("r2", "sales.orders", 6, "the store has a run of this id already")
    assert store.results(IDENTITY, REFS).profile("r2", "sales.orders").origin == OWN


def test_names_of_the_configuration_are_kept(settings, sql):
    runs, results = "r" * 63, "Old Results"
    quote = sql.engine.dialect.identifier_preparer.quote
    earlier = replace(Earlier(sql.run, sql.engine.dialect.name), runs=quote(runs), results=quote(results)).create()
    fill(earlier)

    with Store(settings, TableNames(runs=runs, results=results)) as store:
        renamed = store.adopt(IDENTITY, REFS).renamed

    assert renamed == {
        runs: "r" * 56 + "_legacy",
        results: "Old Results_legacy",
        "r" * 55 + "_airflow": runs,
        "Old Results_airflow": results,
    }
    assert (sql.count(quote(runs)), sql.count(quote(results))) == (8, 18)


def test_tables_in_a_schema_of_their_own_are_adopted_there(postgres_database, sql_of):
    schema = '100 % "odd"; :x'
    sql = sql_of(postgres_database)
    with sql.engine.begin() as connection:
        quoted = connection.dialect.identifier_preparer.quote(schema)
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
    there = replace(
        postgres_database, extra_params={"options": f"-csearch_path={quoted}".replace("%%", "%").replace(" ", "\\ ")}
    )
    fill(Earlier(sql_of(there).run, "postgresql").create())

    with Store(replace(postgres_database, schema=schema)) as store:
        assert store.adopt(IDENTITY, REFS).copied.runs == 8
        assert store.results(IDENTITY, REFS).latest("items").run_id == "r3"
    assert sql_of(there).count("profilemesh_runs") == 8


def test_what_the_ledger_was_told_before_is_not_touched(store, filled, world_of):
    world = world_of(store)
    world.settle("users")
    world.put("orders")
    world.refresh()
    before = store.peek(IDENTITY)

    store.adopt(IDENTITY, REFS)

    after = store.peek(IDENTITY)
    assert (after.entries, after.baselines) == (before.entries, before.baselines)
    assert store.ledger(IDENTITY, Policy()).claim("sales.orders", "worker")
