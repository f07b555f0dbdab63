"""Reading profiles back, and the event log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from profilemesh_airflow.core.fingerprint import data_digest
from profilemesh_airflow.core.profile import ColumnProfile
from tests.sent import statements_sent

ORDERS = "sales.orders"


@pytest.fixture
def sent():
    """The statements that any database was sent."""
    with statements_sent() as sent:
        yield sent


def profiled(world, *versions):
    for version in versions:
        world.put("orders", version=version)
        world.refresh()
        world.profile(ORDERS, run_id=f"run {version}")


def test_the_latest_profile_is_the_one_of_the_baseline(world):
    profiled(world, "1", "2", "3")
    latest = world.results.latest(ORDERS)
    assert (latest.run_id, latest.table_key, latest.row_count) == ("run 3", ORDERS, 3)
    assert [column.name for column in latest.columns] == ["id", "note"]
    baseline = world.ledger.baselines()[ORDERS]
    assert (baseline.run_id, baseline.profiled_at) == (latest.run_id, latest.profiled_at)


def test_a_table_that_was_never_profiled_has_no_profile(world):
    assert world.results.latest(ORDERS) is None
    assert world.results.runs(ORDERS) == []


def test_a_run_says_what_was_read_and_why(world):
    world.put("orders")
    world.refresh()
    strategy = {"engine": "sql", "columns": {"id": "grouped"}}
    cost = {"queries": 4, "rows_scanned": 300, "bytes_scanned": 2**40, "rows_of": "sample", "strategy": strategy}
    run = world.run_of(ORDERS)
    world.ledger.commit(
        world.ledger.claim(ORDERS, "worker"),
        replace(run, profile=replace(run.profile, **cost, rung="sample", rung_reason="too large")),
    )
    (stored,) = world.results.runs(ORDERS)
    assert {name: getattr(stored, name) for name in cost} == cost
    assert (stored.rung, stored.rung_reason) == ("sample", "too large")
    assert world.results.latest(ORDERS).rows_of == "sample"


def test_each_profile_leads_to_the_one_before(world):
    profiled(world, "1", "2", "3")
    third = world.results.latest(ORDERS)
    second = world.results.previous(third)
    first = world.results.previous(second)
    assert (second.run_id, first.run_id) == ("run 2", "run 1")
    assert world.results.previous(first) is None
    assert world.results.profile("run 2", ORDERS) == second
    assert world.results.profile("run 2", "sales.items") is None


def test_runs_keep_their_order_when_the_clock_is_set_back(world, sql):
    profiled(world, "1")
    ahead = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(days=1)
    sql.run(
        f"UPDATE profilemesh_runs SET profiled_at = '{ahead}+00'"
        if sql.engine.dialect.name == "postgresql"
        else f"UPDATE profilemesh_runs SET profiled_at = '{ahead}'"
    )
    profiled(world, "2")
    latest = world.results.latest(ORDERS)
    assert latest.run_id == "run 2"
    assert world.results.previous(latest).run_id == "run 1"


def test_earlier_profiles_come_newest_first_with_the_wanted_metrics_in_one_query(world, sent):
    profiled(world, "1", "2", "3", "4")
    latest = world.results.latest(ORDERS)
    sent.clear()

    found = world.results.earlier(latest, 2, ["mean", "*"])

    assert len([statement for statement in sent if "profilemesh_results" in statement]) == 1
    assert [profile.run_id for profile in found] == ["run 3", "run 2"]
    assert [(column.name, dict(column.metrics)) for column in found[0].columns] == [("id", {"mean": 2.0}), ("note", {})]
    assert [profile.run_id for profile in world.results.earlier(latest, 9, ["mean"])] == ["run 3", "run 2", "run 1"]
    assert world.results.earlier(world.results.profile("run 1", ORDERS), 9, ["mean"]) == []


def test_earlier_profiles_are_those_of_the_same_rows_or_of_rows_that_are_not_known(world, sql):
    profiled(world, "1", "2", "3", "4")
    sql.run("UPDATE profilemesh_runs SET rows_of = 'sample' WHERE run_id IN ('run 1', 'run 4')")
    sql.run("UPDATE profilemesh_runs SET rows_of = NULL WHERE run_id = 'run 2'")

    def earlier(run_id):
        return [profile.run_id for profile in world.results.earlier(world.results.profile(run_id, ORDERS), 9, ["mean"])]

    assert earlier("run 4") == ["run 2", "run 1"]
    assert earlier("run 3") == ["run 2"]
    assert earlier("run 2") == ["run 1"]


def test_a_run_says_which_data_it_has_seen(world):
    assert world.results.data_seen(ORDERS, 9) == []
    profiled(world, "1", "2")
    world.put("orders", version=None)
    world.refresh(forced={ORDERS: "asked for"})
    world.profile(ORDERS)

    seen = world.results.data_seen(ORDERS, 9)

    runs = {run.run_id: run.profiled_at for run in world.results.runs(ORDERS)}
    assert seen == [(runs["run 2"], data_digest("2")), (runs["run 1"], data_digest("1"))]
    assert world.results.data_seen(ORDERS, 1) == seen[:1]
    assert world.results.data_seen("sales.items", 9) == []


def test_a_failed_run_is_listed_but_is_no_profile(world):
    profiled(world, "1")
    world.put("orders", version="2")
    world.refresh()
    world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "boom")
    assert world.results.latest(ORDERS).run_id == "run 1"
    failed, completed = world.results.runs(ORDERS)
    assert (failed.status, failed.error, failed.row_count) == ("failed", "boom", None)
    assert (completed.status, completed.error, completed.row_count) == ("completed", None, 3)
    assert [reason.kind for reason in completed.reasons] == ["added"]
    assert [run.run_id for run in world.results.runs(ORDERS, limit=1)] == [failed.run_id]


def test_a_table_without_columns_has_a_profile(world):
    world.put("orders")
    world.refresh()
    world.profile(ORDERS, columns=())
    assert world.results.latest(ORDERS).columns == ()


def test_names_of_any_length_and_script_are_kept(world):
    long = ColumnProfile('größe "x"; %(y)s :z ' + "n" * 2000, "TEXT" * 200, {"count": 3})
    world.put("tëst.'table'" + "n" * 300)
    ((entry,),) = [world.refresh()]
    world.profile(entry.key, columns=(long,))
    assert world.results.latest(entry.key).columns == (long,)
    assert world.ledger.baselines()[entry.key].ref == entry.ref


def test_an_event_is_appended_with_the_time_of_the_database(world, sql):
    log = world.store.events(world.identity)
    log.add("ProfilingCompleted", ORDERS, {"rows": 3})
    log.add("Started")
    rows = sql.run(
        "SELECT event_type, table_key, payload, environment, source_name FROM profilemesh_events ORDER BY event_id"
    )
    assert [tuple(row) for row in rows] == [
        ("ProfilingCompleted", ORDERS, '{"rows":3}', "test", "warehouse"),
        ("Started", None, "{}", "test", "warehouse"),
    ]
    assert json.loads(rows[0].payload) == {"rows": 3}
