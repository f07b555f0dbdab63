"""Which events a refresh, a profile and a comparison tell."""

from __future__ import annotations

import json

import pytest

from profilemesh_airflow.exceptions import DriverMissingError
from profilemesh_airflow.usecases.drift import drift_of, tell_of_drift
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_change
from profilemesh_airflow.usecases.refresh import record
from profilemesh_airflow.usecases.replay import replay
from profilemesh_airflow.warehouse import Warehouse

TABLES = ("orders", "users", "items")


@pytest.fixture
def profiled(shop, listener):
    """The shop, all of whose tables are profiled."""
    shop.profile()
    listener.take()
    return shop


def profile(shop, key):
    with shop.open() as workspace:
        (ref,) = (ref for ref in workspace.refs if ref.key == key)
        return profile_change(workspace, ref, Worker("test"))


def test_the_first_refresh_tells_of_itself_and_of_every_table(shop, listener):
    shop.refresh()
    counts = dict(listener.only("plan_refreshed"))
    assert listener.take() == [("plan_refreshed", None), *(("change_detected", table) for table in TABLES)]
    assert counts == {
        "tables": 3,
        "changed": 3,
        "unchanged": 0,
        "removed": 0,
        "detected": 3,
        "rung": 3,
        "requested": None,
    }


def test_a_change_that_still_waits_is_no_news(shop, listener):
    shop.refresh()
    listener.take()
    shop.refresh()
    assert listener.only("plan_refreshed")["detected"] == 0
    assert listener.take() == [("plan_refreshed", None)]


def test_a_change_that_moves_on_is_news_again_with_its_reasons(profiled, listener):
    profiled.sql("INSERT INTO users VALUES (3, 'Joan')")
    profiled.refresh(["users"])
    first = listener.only("change_detected")
    assert (first["again"], [reason["kind"] for reason in first["reasons"]]) == (False, ["data"])
    listener.take()

    profiled.sql("INSERT INTO users VALUES (4, 'Jean')")
    profiled.refresh(["users"])
    second = listener.only("change_detected")
    assert (second["again"], second["change_id"]) == (True, first["change_id"])


def test_columns_that_came_went_or_have_another_type_are_told_with_before_and_after(profiled, listener):
    profiled.sql("ALTER TABLE users ADD COLUMN age INTEGER", "ALTER TABLE users RENAME COLUMN name TO called")
    profiled.refresh(["users"])
    fields = {each["field"]: (each["before"], each["after"]) for each in listener.only("schema_changed")["fields"]}
    assert fields == {"age": (None, "INTEGER"), "called": (None, "TEXT"), "name": ("TEXT", None)}
    assert listener.take() == [("plan_refreshed", None), ("schema_changed", "users"), ("change_detected", "users")]


def test_the_same_columns_are_told_once_though_the_rows_change_again(profiled, listener):
    profiled.sql("ALTER TABLE users ADD COLUMN age INTEGER")
    profiled.refresh(["users"])
    listener.take()
    profiled.sql("INSERT INTO users (id) VALUES (3)")
    profiled.refresh(["users"])
    assert listener.take() == [("plan_refreshed", None), ("change_detected", "users")]


def test_columns_that_change_after_the_refresh_are_told_by_the_worker_that_finds_them(profiled, listener):
    with profiled.open() as workspace:
        replay(workspace, ["users"], reason="a look")
    assert listener.take() == [("change_detected", "users")]
    profiled.sql("ALTER TABLE users ADD COLUMN age INTEGER")
    profile(profiled, "users")

    assert [each["field"] for each in listener.only("schema_changed")["fields"]] == ["age"]
    assert listener.take() == [
        ("profiling_started", "users"),
        ("schema_changed", "users"),
        ("profiling_completed", "users"),
    ]
    profiled.refresh()
    assert listener.take() == [("plan_refreshed", None)]


def test_a_table_that_left_the_configuration_is_removed(profiled, listener):
    profiled.configure("orders", "users")
    profiled.refresh()
    assert listener.take() == [("plan_refreshed", None), ("table_removed", "items")]


def test_a_dry_look_tells_nothing(shop, listener):
    shop.detect()
    assert listener.take() == []


def test_a_profile_tells_of_its_beginning_and_its_end(shop, listener):
    outcome = shop.profile("orders")["orders"]
    begun, done = listener.only("profiling_started"), listener.only("profiling_completed")
    assert (begun["attempt"], [reason["kind"] for reason in begun["reasons"]]) == (1, ["added", "forced"])
    assert (done["run_id"], done["row_count"], done["still_open"]) == (outcome.run_id, 3, False)
    assert begun["change_id"] == done["change_id"]
    assert listener.take() == [
        ("change_detected", "orders"),
        ("profiling_started", "orders"),
        ("profiling_completed", "orders"),
    ]


def test_the_end_is_told_after_the_commit(shop, listener, monkeypatch):
    known = []

    def look(events):
        with shop.open() as workspace:
            known.extend((event.event_type, set(workspace.ledger.baselines())) for event in events)

    monkeypatch.setattr(listener, "receive", look)
    shop.profile("orders")
    assert known[-2:] == [("profiling_started", set()), ("profiling_completed", {"orders"})]


def test_a_failure_tells_its_error_and_whether_the_table_is_parked_now(shop, listener):
    shop.configure("orders", "users", "items", airflow={"max_attempts": 1})
    shop.refresh()
    shop.sql("DROP TABLE orders")
    profile(shop, "orders")
    told = listener.only("profiling_failed")
    assert told["error"].startswith("table orders was not found")
    assert (told["error_type"], told["attempts"], told["parked"]) == ("TableMissingError", 1, True)

    profile(shop, "orders")
    assert listener.only("profiling_skipped")["why"].startswith("parked, since it failed too often")


def test_what_fails_the_whole_job_is_told_too(shop, listener, monkeypatch):
    def missing(*_):
        raise DriverMissingError("no driver; install it")

    shop.refresh()
    listener.take()
    monkeypatch.setattr(Warehouse, "profile", missing)
    with pytest.raises(DriverMissingError):
        profile(shop, "orders")
    assert listener.take() == [("profiling_started", "orders"), ("profiling_failed", "orders")]


def test_a_profile_that_is_interrupted_is_told_as_failed(shop, listener, monkeypatch):
    def stop(*_):
        raise SystemExit("the task was told to stop")

    shop.refresh()
    listener.take()
    monkeypatch.setattr(Warehouse, "profile", stop)
    with pytest.raises(SystemExit):
        profile(shop, "orders")
    assert listener.only("profiling_failed")["error_type"] == "SystemExit"
    assert listener.only("profiling_failed")["error"] == "interrupted while it was profiled"


def test_a_doorbell_without_a_change_is_skipped_and_says_why(profiled, listener):
    profile(profiled, "orders")
    assert listener.only("profiling_skipped")["why"].startswith("unchanged since")
    assert listener.take() == [("profiling_skipped", "orders")]


@pytest.fixture
def dead_worker(shop, listener):
    """Somebody claimed the table and was never heard of again; the lease is over."""
    shop.configure(*TABLES, airflow={"lease": "1s", "redeliver_after": "1s"})
    shop.refresh()
    with shop.open() as workspace:
        workspace.ledger.claim("orders", "gone")
        while not workspace.ledger.open_entries(["orders"])["orders"].expired(workspace.ledger.now()):
            pass
    listener.take()
    return shop


def test_a_worker_that_died_is_told_as_failed_by_the_refresh_that_finds_out(dead_worker, listener):
    dead_worker.refresh()
    assert listener.only("profiling_failed")["error_type"] == "LeaseExpired"
    assert listener.take() == [("plan_refreshed", None), ("profiling_failed", "orders")]


def test_a_worker_that_died_is_told_as_failed_by_the_worker_that_takes_over(dead_worker, listener):
    profile(dead_worker, "orders")
    told = listener.only("profiling_failed")
    assert (told["error_type"], told["attempts"]) == ("LeaseExpired", 1)
    assert listener.only("profiling_started")["attempt"] == 2
    assert [event for event, _ in listener.take()] == ["profiling_failed", "profiling_started", "profiling_completed"]


def test_drift_is_told_with_its_findings_and_its_absence_is_not(profiled, listener):
    def compare():
        with profiled.open() as workspace:
            tell_of_drift(workspace, drift_of(workspace, workspace.refs[1]))

    profiled.profile("users")
    listener.take()
    compare()
    assert listener.take() == []
    profiled.sql("INSERT INTO users VALUES (3, 'Joan')")
    profiled.profile("users")
    compare()
    told = listener.only("drift_detected")
    assert (told["severity"], "count" in [finding["metric"] for finding in told["findings"]]) == ("high", True)


def test_every_event_is_about_this_environment_and_source_and_fit_for_json(profiled, listener):
    profiled.sql("ALTER TABLE users ADD COLUMN age INTEGER", "DROP TABLE items")
    profiled.profile()
    assert {(event.environment, event.source) for event in listener.events} == {("test", "shop")}
    for event in listener.events:
        assert json.loads(json.dumps(event.as_dict(), allow_nan=False)) == event.as_dict()


def test_a_long_list_of_reasons_is_cut_and_the_others_are_counted(shop, listener):
    shop.profile("orders")
    listener.take()
    shop.sql(*(f"ALTER TABLE orders ADD COLUMN c{number} TEXT" for number in range(30)))
    with shop.open() as workspace:
        record(workspace, detect(workspace, ["orders"]))
    columns, change = listener.only("schema_changed"), listener.only("change_detected")
    assert (len(columns["fields"]), columns["more_fields"]) == (20, 10)
    assert (len(change["reasons"]), change["more_reasons"]) == (20, 10)
