"""A profile that others start: a load job reports an asset, and what it loaded is profiled."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException, TaskDeferred
from profilemesh_airflow.compat.assets import make_asset
from profilemesh_airflow.compat.capabilities import ANY_ASSET, TASK_SDK
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.operators.profile import ProfileMeshTableOperator
from tests.capable import needs
from tests.operators.tasks import IDENTITY, Context, profile

pytestmark = needs(ANY_ASSET)

LOADED = "s3://lake/orders"
BELL = table_asset(IDENTITY, "change", TableRef("orders")).uri


def started_by(*uris):
    """The context of a run that events of these assets started."""
    context = Context()
    events = [(make_asset(uri) if TASK_SDK.available else uri, [object()]) for uri in uris]
    key = "triggering_asset_events" if TASK_SDK.available else "triggering_dataset_events"
    context[key] = SimpleNamespace(items=lambda: events)
    return context


def listener(shop, **arguments):
    options = {"changed_only": True, "listen_to_upstream": True, **arguments}
    return ProfileMeshTableOperator(task_id="profile", config_path=shop.config, table="orders", **options)


def answered(shop, *uris, known=True):
    """What the task does once the rows are quiet."""
    return listener(shop).execute_complete(started_by(*uris or [LOADED]), {"known": known})


def set_options(shop, options):
    path = Path(shop.config)
    path.write_text(path.read_text().replace("{table: orders}", f"{{table: orders, {options}}}"))


def test_a_report_is_waited_for_until_it_is_quiet_without_a_worker_or_a_secret(shop):
    set_options(shop, "debounce: 2m")
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        listener(shop).execute(started_by(LOADED))
    path, arguments = deferred.value.trigger.serialize()
    assert path == "profilemesh_airflow.triggers.quiet.ProfileMeshQuietTrigger"
    assert 0 <= arguments.pop("until") - before - 3600 <= 60
    assert arguments == {
        "config_path": shop.config,
        "profilemesh_conn_id": None,
        "table_key": "orders",
        "debounce": 120.0,
    }
    assert deferred.value.method_name == "execute_complete"


def test_what_was_loaded_is_found_and_profiled_with_no_refresh_between(shop):
    profile(shop, "orders")
    shop.run("INSERT INTO orders VALUES (3, 30.0)")
    assert answered(shop)["metadata"]["reasons"] == ["data"]


def test_a_table_that_was_never_profiled_is(shop):
    assert answered(shop)["metadata"]["reasons"] == ["added"]


def test_rows_that_did_not_move_are_not_profiled_and_the_task_says_who_reported_them(shop):
    profile(shop, "orders")
    with pytest.raises(AirflowSkipException, match=f"unchanged since .*; a load was reported by {LOADED}$"):
        answered(shop)


def test_a_run_that_an_asset_started_which_airflow_does_not_name_has_heard_of_a_load(shop):
    profile(shop, "orders")
    context = started_by()
    context["dag_run"].run_type = "asset_triggered"
    with pytest.raises(TaskDeferred):
        listener(shop).execute(context)
    with pytest.raises(AirflowSkipException, match=r"a load was reported by an asset that it listens to$"):
        listener(shop).execute_complete(context, {"known": True})


def test_rows_of_an_unknown_version_are_not_profiled_and_the_task_says_what_would(shop):
    shop.run("CREATE VIEW sums AS SELECT sum(amount) AS total FROM orders")
    path = Path(shop.config)
    path.write_text(path.read_text().replace("{table: orders}", "{table: sums}"))
    profile(shop, "sums")
    operator = ProfileMeshTableOperator(
        task_id="profile", config_path=shop.config, table="sums", changed_only=True, listen_to_upstream=True
    )
    with pytest.raises(AirflowSkipException, match="version of its rows is unknown: `always: true` profiles it"):
        operator.execute_complete(started_by(LOADED), {"known": False})


def test_with_always_they_are_profiled_at_each_report(shop):
    set_options(shop, "always: true")
    profile(shop, "orders")
    assert answered(shop)["metadata"]["reasons"] == ["forced"]


@pytest.mark.parametrize(
    ("arguments", "uris"),
    [({}, [BELL]), ({}, []), ({"listen_to_upstream": False}, [LOADED]), ({"changed_only": False}, [LOADED])],
)
def test_the_doorbell_a_run_by_hand_and_a_task_that_does_not_listen_do_not_wait(shop, arguments, uris):
    profile(shop, "orders")
    operator = listener(shop, **arguments)
    if operator.changed_only:
        with pytest.raises(AirflowSkipException, match=r"unchanged since [^;]*$"):
            operator.execute(started_by(*uris))
    else:
        assert operator.execute(started_by(*uris))["row_count"] == 2


def test_a_doorbell_and_a_report_at_once_are_one_profile(shop):
    profile(shop, "orders")
    shop.run("INSERT INTO orders VALUES (3, 30.0)")
    with pytest.raises(TaskDeferred):
        listener(shop).execute(started_by(BELL, LOADED))
    assert answered(shop, BELL, LOADED)["row_count"] == 3
    with pytest.raises(AirflowSkipException, match="unchanged"):
        answered(shop, BELL, LOADED)
