"""The plan sensor on a real database and a real store."""

from __future__ import annotations

import time
import warnings
from datetime import timedelta
from pathlib import Path

import pytest

from profilemesh_airflow.compat.airflow import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from profilemesh_airflow.exceptions import ProfileMeshError, WarehouseError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from tests.operators.tasks import Context, profile, profile_all
from tests.sensors.tasks import look, sensor


def edit(shop, old, new):
    path = Path(shop.config)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def open_changes(shop):
    with ProfileMeshHook(shop.config).workspace() as workspace:
        return workspace.ledger.open_entries()


def wait_is_over(shop, monkeypatch):
    """Let so much time pass that every doorbell is due again, by the clock of the store."""
    with ProfileMeshHook(shop.config).workspace() as workspace:
        later = workspace.ledger.now() + timedelta(days=1)
    monkeypatch.setattr("profilemesh_airflow.store.database.Database.now", lambda *_: later)


def test_what_changed_is_told_under_the_keys_of_the_earlier_integration_with_the_reasons(shop):
    metadata = look(shop)

    assert {**metadata, "plan_signature": None} == {
        "environment": "test",
        "source": "shop",
        "changed_tables": ["customers", "orders"],
        "metrics_requested": 26,
        "drift_strategy": "absolute_threshold",
        "plan_signature": None,
        "reasons": {"customers": ["added"], "orders": ["added"]},
        "removed_tables": [],
    }
    assert len(metadata["plan_signature"]) == 64


def test_a_change_is_recorded_and_not_acknowledged_by_being_told(shop):
    look(shop)

    assert {key: (entry.state, entry.rings) for key, entry in open_changes(shop).items()} == {
        "orders": ("open", 1),
        "customers": ("open", 1),
    }
    assert profile(shop, "orders", changed_only=True)["metadata"]["reasons"] == ["added"]


def test_it_keeps_quiet_where_nothing_changed_and_where_everything_was_told_of(shop):
    look(shop)
    assert look(shop) is None
    profile_all(shop, changed_only=True)
    assert look(shop) is None


def test_a_table_whose_profile_failed_is_told_of_again_when_its_wait_is_over(shop, monkeypatch):
    look(shop)
    shop.run("DROP TABLE orders")
    profile_all(shop, changed_only=True, on_failure="continue")
    shop.run("CREATE TABLE orders (id INTEGER, amount REAL)")
    assert look(shop) is not None, "the table is another one"
    wait_is_over(shop, monkeypatch)

    assert look(shop)["changed_tables"] == ["orders"]


def test_only_the_table_whose_rows_changed_is_told_of(shop):
    look(shop)
    profile_all(shop, changed_only=True)
    shop.run("INSERT INTO orders VALUES (3, 30.0)")

    metadata = look(shop)
    assert metadata["changed_tables"] == ["orders"]
    assert metadata["reasons"]["orders"][0].startswith("data: version ")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("profiling: {", "profiling: {histogram_bins: 20, ", "settings: histogram_bins 10 -> 20"),
        ("profiling: {", "drift_detection: {strategy: psi}\nprofiling: {", "settings: drift"),
    ],
)
def test_settings_that_the_earlier_integration_overlooked_are_changes_of_every_table(shop, old, new, reason):
    look(shop)
    profile_all(shop, changed_only=True)
    edit(shop, old, new)

    metadata = look(shop)
    assert set(metadata["changed_tables"]) == {"orders", "customers"}
    assert metadata["reasons"]["orders"][0].startswith(reason)


def test_a_removed_table_is_told_of_once(shop):
    look(shop)
    profile_all(shop, changed_only=True)
    edit(shop, ", {table: customers}", "")

    metadata = look(shop)
    assert (metadata["changed_tables"], metadata["removed_tables"]) == ([], ["customers"])
    assert look(shop) is None


def test_a_table_that_goes_there_and_back_is_told_of_each_time(shop):
    for bins in (10, 20, 10):
        edit(shop, "profiling: {", f"profiling: {{histogram_bins: {bins}, ")
        assert set(look(shop)["changed_tables"]) == {"orders", "customers"}
        profile_all(shop, changed_only=True)
        edit(shop, f"histogram_bins: {bins}, ", "")


def test_force_run_tells_of_every_table_where_nothing_changed_and_only_then(shop):
    assert look(shop, force_run=True)["reasons"]["orders"] == ["added"]
    profile_all(shop, changed_only=True)

    assert look(shop, force_run=True)["reasons"]["orders"] == ["forced: task dag/task, force_run"]
    assert profile_all(shop, changed_only=True)["tables_profiled"] == 2


def test_a_budget_holds_for_the_sensor_and_for_what_comes_after_it(shop):
    edit(shop, "profiling: {", "airflow: {budget: {tables: 1}}\nprofiling: {")

    assert look(shop)["changed_tables"] == ["customers"]
    assert {key for key, entry in open_changes(shop).items() if entry.deferrals} == {"orders"}


def test_no_more_tables_are_told_of_at_once_than_a_task_can_be_mapped_over(shop, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.usecases.watch.MOST_TABLES", 1)
    assert [look(shop)["changed_tables"] for _ in range(2)] == [["customers"], ["orders"]]


def test_it_waits_in_the_triggerer_unless_a_mode_is_asked_for(shop):
    assert sensor(shop).deferrable
    assert not sensor(shop, mode="reschedule").deferrable
    assert not sensor(shop, deferrable=False).deferrable
    assert sensor(shop, deferrable=False).mode == "reschedule"
    assert sensor(shop).soft_fail


def test_poke_mode_is_warned_of_and_nothing_else_is(shop):
    with pytest.warns(UserWarning, match="task watch: mode 'poke' holds a worker"):
        assert sensor(shop, mode="poke").mode == "poke"
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        sensor(shop, mode="reschedule")
        sensor(shop)


def test_looks_are_apart_as_much_as_the_greater_interval_says(shop):
    assert sensor(shop, poke_interval=10, minimum_interval=timedelta(minutes=5)).poke_interval == 300
    assert sensor(shop, poke_interval=600, minimum_interval=300).poke_interval == 600


def test_a_change_that_is_there_already_needs_no_triggerer(shop):
    context = Context()
    sensor(shop).execute(context)
    assert context.xcom["plan_change_metadata"]["changed_tables"] == ["customers", "orders"]


def wait(shop, **arguments):
    """The sensor's wait, once there is nothing to do."""
    look(shop)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(shop, **arguments).execute(Context())
    return deferred.value


def test_it_defers_to_a_trigger_that_knows_no_secret(shop):
    before = time.time()
    deferred = wait(shop, poke_interval=30, timeout=600)

    path, arguments = deferred.trigger.serialize()
    assert path == "profilemesh_airflow.triggers.plan.ProfileMeshPlanTrigger"
    assert arguments.keys() == {"config_path", "interval", "until", "next_look", "profilemesh_conn_id"}
    assert (arguments["config_path"], arguments["interval"]) == (shop.config, 30)
    assert 0 <= arguments["next_look"] - before - 30 <= 60
    assert 0 <= arguments["until"] - before - 600 <= 60
    assert deferred.method_name == "execute_complete"


def answer(shop, status, message=None, until=None, **arguments):
    event = {"status": status, "message": message, "until": until or time.time() + 600}
    context = Context()
    sensor(shop, **arguments).execute_complete(context, event)
    return context.xcom


def test_what_the_triggerer_saw_is_looked_at_again_and_recorded(shop):
    assert answer(shop, "changed")["plan_change_metadata"]["changed_tables"] == ["customers", "orders"]
    assert set(open_changes(shop)) == {"orders", "customers"}


def test_what_is_over_by_then_is_waited_for_again_until_the_same_end(shop):
    look(shop)
    until = time.time() + 500
    with pytest.raises(TaskDeferred) as deferred:
        answer(shop, "changed", until=until)
    assert deferred.value.trigger.until == until


@pytest.mark.parametrize(("soft_fail", "error"), [(True, AirflowSkipException), (False, AirflowSensorTimeout)])
def test_nothing_until_the_timeout_is_skipped_or_fails_as_asked_for(shop, soft_fail, error):
    with pytest.raises(error, match="nothing was to be profiled for 600 s"):
        answer(shop, "timed_out", soft_fail=soft_fail, timeout=600)
    look(shop)
    with pytest.raises(error):
        sensor(shop, soft_fail=soft_fail, timeout=1, poke_interval=60).execute(Context())


def test_a_sensor_that_cannot_look_fails_and_is_not_skipped(shop):
    with pytest.raises(ProfileMeshError, match="the database is away"):
        answer(shop, "failed", "the database is away")
    edit(shop, "shop.db", "nowhere.db")
    with pytest.raises(WarehouseError, match=r"nowhere\.db"):
        sensor(shop).execute(Context())


def test_where_the_airflow_cannot_defer_it_is_rescheduled(shop, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.sensors.plan.DEFERRABLE", type("Absent", (), {"available": False}))
    assert (sensor(shop).deferrable, sensor(shop).mode) == (False, "reschedule")
