"""What the operators tell: in XCom, and to the callbacks they are given."""

from __future__ import annotations

import pytest

from profilemesh_airflow import ProfileMeshDriftOperator
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.exceptions import ConfigError, ProfileError
from tests.operators.tasks import Context, profile, profile_all, refresh


def told(context):
    return [(event["event_type"], event["table_key"]) for event in context.xcom.get("profilemesh_events", ())]


def test_a_profile_leaves_its_events_in_the_tasks_xcom(shop):
    refresh(shop)
    context = Context()
    summary = profile(shop, "orders", context, changed_only=True)
    assert told(context) == [("profiling_started", "orders"), ("profiling_completed", "orders")]
    done = context.xcom["profilemesh_events"][-1]
    assert done["run_id"] == summary["run_id"]
    assert (done["dag_id"], done["dag_run_id"], done["task_id"]) == ("dag", "run", "task")


def test_a_task_that_fails_leaves_its_events_too(shop):
    refresh(shop)
    shop.run("DROP TABLE orders")
    context = Context()
    with pytest.raises(ProfileError):
        profile(shop, "orders", context, changed_only=True)
    assert told(context) == [("profiling_started", "orders"), ("profiling_failed", "orders")]


def test_a_skipped_task_says_why_in_its_event(shop):
    refresh(shop)
    profile(shop, "orders", changed_only=True)
    context = Context()
    with pytest.raises(AirflowSkipException):
        profile(shop, "orders", context, changed_only=True)
    assert told(context) == [("profiling_skipped", "orders")]


def test_several_tables_are_told_in_one_list_unless_xcom_is_not_wanted(shop):
    context, silent = Context(), Context()
    profile_all(shop, context)
    profile_all(shop, silent, emit_xcom=False)
    assert [kind for kind, _ in told(context)].count("profiling_completed") == 2
    assert silent.xcom == {}


def test_drift_is_told_once_it_is_found(shop):
    def drift(context):
        return ProfileMeshDriftOperator(task_id="drift", config_path=shop.config, table="orders").execute(context)

    profile(shop, "orders")
    profile(shop, "orders")
    calm = Context()
    with pytest.raises(AirflowSkipException):
        drift(calm)
    shop.run("INSERT INTO orders VALUES (3, 90.0)")
    profile(shop, "orders")
    context = Context()
    drift(context)
    assert (told(calm), told(context)) == ([], [("drift_detected", "orders")])


def test_callbacks_of_a_task_are_called_before_and_after_each_table(shop):
    calls = []
    profile_all(
        shop,
        pre_profiling=lambda event: calls.append(("before", event.table_key)),
        post_profiling=[lambda event: calls.append((event.event_type, event.table_key))],
    )
    assert calls == [
        ("before", "orders"),
        ("profiling_completed", "orders"),
        ("before", "customers"),
        ("profiling_completed", "customers"),
    ]


def test_a_callback_that_fails_fails_no_task(shop, caplog):
    def broken(event):
        raise ZeroDivisionError("a mistake")

    assert profile(shop, "orders", post_profiling=broken)["row_count"] == 2
    assert "could not be told of profiling_completed: ZeroDivisionError: a mistake" in caplog.text


def test_a_callback_that_does_not_exist_fails_the_task_before_it_does_anything(shop):
    context = Context()
    with pytest.raises(ConfigError, match="'json:nothing' is no function"):
        profile(shop, "orders", context, pre_profiling="json:nothing")
    assert context.xcom == {}


def test_an_xcom_that_cannot_be_written_fails_no_profile(shop, caplog):
    context = Context()
    really = context["ti"].xcom_push

    def refuse(key, value):
        if key == "profilemesh_events":
            raise ConnectionError("no api server")
        really(key, value)

    context["ti"].xcom_push = refuse
    assert profile(shop, "orders", context)["row_count"] == 2
    assert "XCom profilemesh_events could not be told: ConnectionError: no api server" in caplog.text
