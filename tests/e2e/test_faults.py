"""What Airflow drops, forgets or kills, on a whole Airflow: after at most two refreshes every change is profiled."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from sqlalchemy import text

from tests.e2e.faults import (
    add_row,
    busy_profile,
    change_of,
    check_final,
    events_of,
    held_up,
    holding,
    kill_task,
    pause,
    publish,
    queued,
    rung_without_a_run,
    wait_for_lease,
    wait_until_due,
)
from tests.e2e.shop import REFRESH, open_shop, rows

pytestmark = [pytest.mark.e2e, pytest.mark.minutes]

ORDERS, ITEMS = TABLES = ("shop.orders", "shop.items")
LISTED = [{"schema": "shop", "table": "orders"}, {"schema": "shop", "table": "items"}]
SETUP = "CREATE SCHEMA shop;" + "".join(
    f"CREATE TABLE {table} (id int); INSERT INTO {table} VALUES (1);" for table in TABLES
)
SECOND_REFRESH = "profilemesh_second_refresh"
DAGS = {
    "second_refresh.py": f"""
import os
from profilemesh_airflow import build_plan_refresh_dag
dag = build_plan_refresh_dag(os.environ["PROFILEMESH_CONFIG"], dag_id="{SECOND_REFRESH}")
"""
}
PATIENCE = {"redeliver_after": "2s", "lease": "10s", "max_attempts": 3}
# A task that vanished is noticed soon. One that lost its api-server gives up soon, but waits for a slow one: the first
# call that a new api-server gets takes it long.
ENV = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "2",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, postgres_url):
    home = tmp_path_factory.mktemp("airflow")
    with open_shop(home, postgres_url, setup=SETUP, tables=LISTED, airflow=PATIENCE, env=ENV, dags=DAGS) as opened:
        opened.airflow.wait_for_dags({SECOND_REFRESH})
        assert opened.refresh() == dict.fromkeys(TABLES, "success")
        yield opened


def test_a_change_rung_while_its_consumer_is_paused_is_profiled_after_it_is_unpaused(shop):
    pause(shop, ORDERS, paused=True)
    add_row(shop, ORDERS)
    before = events_of(shop, ORDERS)
    assert shop.refresh() == {}
    assert (change_of(shop, ORDERS).rings, events_of(shop, ORDERS) - before, queued(shop, ORDERS)) == (1, 1, 0)

    pause(shop, ORDERS, paused=False)
    wait_until_due(shop, ORDERS)
    assert shop.settled() == []
    assert shop.refresh() == {ORDERS: "success"}
    assert change_of(shop, ORDERS).rings == 2
    check_final(shop, ORDERS)


def test_a_profile_that_fails_is_tried_again_until_it_is_mended_or_parked(shop):
    mended, broken = TABLES
    for table in TABLES:
        add_row(shop, table)
        shop.sql(f"REVOKE SELECT ON {table} FROM {shop.reader}")
    for attempt in (1, 2):
        assert shop.refresh() == {mended: "failed", broken: "failed"}
        for table in TABLES:
            change = change_of(shop, table)
            assert (change.state, change.attempts, change.last_error_type) == ("open", attempt, "ProfileError")
            assert "permission denied" in change.last_error
            wait_until_due(shop, table)
    shop.sql(f"GRANT SELECT ON {mended} TO {shop.reader}")
    assert shop.refresh() == {mended: "success", broken: "failed"}
    assert (change_of(shop, broken).state, change_of(shop, broken).attempts) == ("parked", 3)

    # A parked change is left alone, by a refresh and by a ring, even where its table could be read again.
    shop.sql(f"GRANT SELECT ON {broken} TO {shop.reader}")
    assert shop.refresh() == {}
    publish(shop, broken)
    assert [table for table, _ in shop.settled()] == [broken]
    assert shop.tasks(broken) == {"profile": "skipped", "drift": "skipped"}
    assert change_of(shop, broken).state == "parked"

    add_row(shop, broken)
    assert shop.refresh() == {broken: "success"}
    check_final(shop, mended)
    check_final(shop, broken)


def test_five_publishes_during_one_run_lead_to_one_more_that_has_nothing_to_do(shop):
    with busy_profile(shop, ORDERS) as blocker:
        before = events_of(shop, ORDERS)
        for _ in range(4):
            publish(shop, ORDERS)
        # In the time of a whole run, the scheduler would have started what it starts beside the busy one.
        shop.refresh_alone(dry_run=True)
        publish(shop, ORDERS)
        assert (events_of(shop, ORDERS) - before, queued(shop, ORDERS), len(shop.new_runs())) == (5, 1, 1)
        blocker.execute(text(f"INSERT INTO {ORDERS} VALUES (0)"))

    assert [(table, run["state"]) for table, run in shop.settled()] == [(ORDERS, "success")]
    assert shop.tasks(ORDERS) == {"profile": "skipped", "drift": "skipped"}
    # The row that came while the table was read is the next change.
    assert shop.refresh() == {ORDERS: "success"}
    assert shop.tasks(ORDERS)["profile"] == "success"
    check_final(shop, ORDERS)


def test_a_refresh_during_a_profile_rings_nobody_and_a_target_that_moved_is_profiled_by_the_next(shop):
    with busy_profile(shop, ORDERS):
        lease, before = change_of(shop, ORDERS).lease_until, events_of(shop, ORDERS)
        shop.list_tables([{**LISTED[0], "metrics": ["count"]}, LISTED[1]])
        shop.refresh_alone()
        change = change_of(shop, ORDERS)
        assert (change.state, change.target_revision, events_of(shop, ORDERS) - before) == ("claimed", 2, 0)
        shop.until(lambda: change_of(shop, ORDERS).lease_until > lease, "the lease is renewed while the profile runs")

    assert [(table, run["state"]) for table, run in shop.settled()] == [(ORDERS, "success")]
    assert change_of(shop, ORDERS).state == "open"
    assert shop.refresh() == {ORDERS: "success"}
    check_final(shop, ORDERS)


def test_a_ring_whose_events_were_cleaned_away_still_starts_its_run(shop):
    with rung_without_a_run(shop, ORDERS):
        before_now = ("--clean-before-timestamp", datetime.now(timezone.utc).isoformat())
        shop.airflow.run_command("db", "clean", "--tables", "asset_event", *before_now, "--yes", "--skip-archive")
        assert rows(shop.metadata, "SELECT count(*) FROM asset_event") == [(0,)]

    ((table, run),) = shop.settled()
    assert (table, run["state"]) == (ORDERS, "success")
    assert shop.api.triggering_events(run["dag_id"], run["dag_run_id"]) == []
    assert shop.tasks(ORDERS)["profile"] == "success"
    check_final(shop, ORDERS)


def test_a_ring_that_airflow_forgot_is_repeated(shop):
    with rung_without_a_run(shop, ORDERS):
        shop.api.call("DELETE", f"/api/v2/dags/{shop.table_dags()[ORDERS]}/assets/queuedEvents")
        assert queued(shop, ORDERS) == 0

    assert shop.settled() == []
    wait_until_due(shop, ORDERS)
    assert shop.refresh() == {ORDERS: "success"}
    assert change_of(shop, ORDERS).rings == 2
    check_final(shop, ORDERS)


def test_a_ring_whose_api_server_is_killed_before_it_has_answered_is_repeated(shop):
    add_row(shop, ORDERS)
    before = events_of(shop, ORDERS)
    # The success call of the ring task gets as far as its first event, and waits.
    with holding(shop.metadata, "LOCK TABLE asset_event IN SHARE MODE"):
        run_id = shop.api.trigger(REFRESH)
        # So does that of the task that sums up, and either may come first.
        shop.until(lambda: held_up(shop.metadata, "asset_event") >= 2, "the success calls of both write their events")
        shop.airflow.kill_component("api-server")
    task = f"SELECT state FROM task_instance WHERE run_id = '{run_id}' AND task_id = 'ring'"
    shop.until(lambda: rows(shop.metadata, task) == [("failed",)], "the ring task has failed")
    assert (change_of(shop, ORDERS).rings, events_of(shop, ORDERS) - before) == (1, 0)

    shop.airflow.start_component("api-server")
    shop.until(shop.api.health, "the api-server answers again")
    assert shop.settled() == []
    wait_until_due(shop, ORDERS)
    assert shop.refresh() == {ORDERS: "success"}
    check_final(shop, ORDERS)


def test_a_ring_before_the_scheduler_is_killed_is_heard_when_it_is_started_again(shop):
    with rung_without_a_run(shop, ORDERS):
        shop.airflow.kill_component("scheduler")
    assert (queued(shop, ORDERS), shop.new_runs()) == (1, [])

    shop.airflow.start_component("scheduler")
    assert [(table, run["state"]) for table, run in shop.settled()] == [(ORDERS, "success")]
    check_final(shop, ORDERS)


def test_a_change_comes_back_when_the_processes_of_its_task_are_killed(shop):
    with busy_profile(shop, ORDERS):
        ((_, run),) = shop.new_runs()
        task = f"SELECT pid FROM task_instance WHERE run_id = '{run['dag_run_id']}' AND task_id = 'profile'"
        ((pid,),) = rows(shop.metadata, task)
        kill_task(shop, pid)
    wait_for_lease(shop, ORDERS)

    # Airflow takes the dead run to be running until its heartbeat is missed; the ring waits behind it.
    assert shop.refresh() == {ORDERS: "success"}
    assert shop.api.run(run["dag_id"], run["dag_run_id"])["state"] == "failed"
    change = change_of(shop, ORDERS)
    assert (change.outcome, change.attempts, change.last_error_type) == ("profiled", 1, "LeaseExpired")
    check_final(shop, ORDERS)


def test_two_refreshes_at_the_same_moment_open_one_change_that_is_profiled_once(shop):
    add_row(shop, ORDERS)
    changes, profiles = (
        f"SELECT count(*) FROM {table} WHERE table_key = '{ORDERS}'"
        for table in ("profilemesh_changes", "profilemesh_runs")
    )
    ((before,),), ((profiled,),) = shop.stored(changes), shop.stored(profiles)
    with holding(shop.store, "LOCK TABLE profilemesh_changes IN SHARE MODE"):
        refreshes = {dag_id: shop.api.trigger(dag_id) for dag_id in (REFRESH, SECOND_REFRESH)}
        shop.until(
            lambda: held_up(shop.store, "profilemesh_changes") == 2,
            "both refreshes found no open change and are about to open one",
        )
    for dag_id, run_id in refreshes.items():
        assert shop.api.wait_for_run(dag_id, run_id)["state"] == "success"

    assert {run["state"] for _, run in shop.settled()} == {"success"}
    assert (shop.stored(changes), shop.stored(profiles)) == ([(before + 1,)], [(profiled + 1,)])
    check_final(shop, ORDERS)
