"""The operators on a real database and a real store; Airflow around them is the smallest context they need."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from profilemesh_airflow import (
    ProfileMeshDetectOperator,
    ProfileMeshDriftOperator,
    ProfileMeshLineageOperator,
    ProfileMeshProfilingOperator,
)
from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.compat.capabilities import EVENT_EXTRA
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ProfileError, UnknownTableError, WarehouseError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from tests.operators.tasks import IDENTITY, Context, profile, refresh, ring


def test_a_refresh_rings_for_every_changed_table_with_its_reasons(shop):
    (chunk,) = refresh(shop)
    events = ring(shop, chunk)

    assert [event.uri for event in events] == [
        "profilemesh://test/shop/change/customers",
        "profilemesh://test/shop/change/orders",
    ]
    if not EVENT_EXTRA.available:
        return
    assert events[1].extra["reasons"] == [{"kind": "added", "field": "table", "before": None, "after": "orders"}]


def test_a_rung_change_is_left_in_peace_until_its_answer_is_overdue(shop):
    (chunk,) = refresh(shop)
    ring(shop, chunk)
    assert refresh(shop) == []


def test_a_retried_ring_rings_again(shop):
    (chunk,) = refresh(shop)
    assert len(ring(shop, chunk)) == len(ring(shop, chunk)) == 2


def test_changes_are_rung_in_chunks_that_one_task_can_register(shop, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.operators.refresh.EVENTS_PER_TASK", 1)
    assert [len(chunk) for chunk in refresh(shop)] == [1, 1]


def test_a_change_that_was_profiled_meanwhile_is_not_rung(shop):
    (chunk,) = refresh(shop)
    profile(shop, "orders", changed_only=True)
    assert [event.key for event in ring(shop, chunk)] == ["customers"]


def test_a_dry_run_shows_the_difference_and_records_nothing(shop):
    context = Context(dry_run=True)
    assert ProfileMeshDetectOperator(task_id="detect", config_path=shop.config).execute(context) == []
    assert [change["table_key"] for change in context.xcom["plan_diff"]["changes"]] == ["orders", "customers"]
    with pytest.raises(AirflowSkipException):
        profile(shop, "orders", changed_only=True)


def test_a_refresh_of_named_tables_forces_just_those_with_the_reason_given(shop):
    (chunk,) = refresh(shop)
    for table in ("orders", "customers"):
        profile(shop, table, changed_only=True)

    (chunk,) = refresh(shop, tables=["orders"], force=True, reason="month end")
    (event,) = ring(shop, chunk)
    assert event.key == "orders"
    with ProfileMeshHook(shop.config).workspace() as workspace:
        (reason,) = workspace.ledger.open_entries()["orders"].reasons
    assert reason.as_dict() == {"kind": "forced", "field": "request", "before": None, "after": "month end"}


def test_an_unknown_table_in_the_form_names_the_nearest(shop):
    with pytest.raises(UnknownTableError, match="orders"):
        refresh(shop, tables=["ordres"])


def test_a_profile_returns_a_small_summary_and_tells_its_asset(shop):
    asset = table_asset(IDENTITY, "profile", TableRef("orders"))
    refresh(shop)
    context = Context()
    summary = profile(shop, "orders", context, changed_only=True, outlets=[asset])

    assert context.xcom["profiling_result"] == summary
    assert {name: summary[name] for name in ("dataset_name", "schema_name", "row_count", "columns_profiled")} == {
        "dataset_name": "orders",
        "schema_name": None,
        "row_count": 2,
        "columns_profiled": 2,
    }
    assert summary["metadata"]["reasons"] == ["added"]
    if EVENT_EXTRA.available:
        assert context["outlet_events"][asset].extra["row_count"] == 2


def test_a_doorbell_without_an_open_change_is_skipped_and_says_why(shop):
    refresh(shop)
    profile(shop, "orders", changed_only=True)
    with pytest.raises(AirflowSkipException, match="unchanged since"):
        profile(shop, "orders", changed_only=True)


def test_a_run_started_with_force_profiles_an_unchanged_table(shop):
    refresh(shop)
    profile(shop, "orders", changed_only=True)
    assert profile(shop, "orders", Context({"force": True}), changed_only=True)["metadata"]["reasons"] == ["forced"]


def test_a_table_operator_of_ones_own_profiles_whatever_changed(shop):
    assert profile(shop, "orders")["row_count"] == 2
    assert profile(shop, "orders")["row_count"] == 2


def test_a_table_that_left_the_configuration_is_named(shop):
    with pytest.raises(UnknownTableError, match="not listed in"):
        profile(shop, "invoices")


def test_a_failed_profile_fails_the_task_and_keeps_the_change(shop):
    refresh(shop)
    shop.run("DROP TABLE orders")
    with pytest.raises(ProfileError, match=r"orders.*does not exist"):
        profile(shop, "orders", changed_only=True)
    shop.run("CREATE TABLE orders (id INTEGER)")
    assert profile(shop, "orders", changed_only=True)["row_count"] == 0


def test_an_error_says_what_happened_without_the_drivers_traceback(shop):
    Path(shop.config).write_text(Path(shop.config).read_text().replace("shop.db", "nowhere.db"))
    with pytest.raises(WarehouseError, match=r"nowhere\.db") as caught:
        refresh(shop)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_several_tables_are_profiled_though_one_fails_and_then_the_task_fails(shop):
    shop.run("DROP TABLE orders")
    context = Context()
    operator = ProfileMeshProfilingOperator(task_id="all", config_path=shop.config)
    with pytest.raises(ProfileError, match="1 of 2 tables"):
        operator.execute(context)
    assert [result["dataset_name"] for result in context.xcom["profiling_results"]["results"]] == ["customers"]


def test_an_edit_of_the_configuration_between_detection_and_ring_does_not_change_what_is_rung(shop):
    (chunk,) = refresh(shop)
    Path(shop.config).write_text(Path(shop.config).read_text().replace(", {table: customers}", ""))
    assert {event.key for event in ring(shop, chunk)} == {"customers", "orders"}
    assert refresh(shop) == []
    with ProfileMeshHook(shop.config).workspace() as workspace:
        assert set(workspace.ledger.open_entries()) == {"orders"}


def test_named_tables_alone_are_profiled(shop):
    operator = ProfileMeshProfilingOperator(
        task_id="some", config_path=shop.config, table_patterns=[{"schema": "", "table": "orders"}], emit_xcom=False
    )
    context = Context()
    summary = operator.execute(context)
    assert (summary["tables_profiled"], summary["environment"], context.xcom) == (1, "test", {})


def test_drift_is_skipped_without_a_previous_run_and_without_drift(shop):
    def drift(context):
        return ProfileMeshDriftOperator(task_id="drift", config_path=shop.config, table="orders").execute(context)

    profile(shop, "orders")
    with pytest.raises(AirflowSkipException, match="no earlier profile"):
        drift(Context())
    profile(shop, "orders")
    with pytest.raises(AirflowSkipException, match="did not drift"):
        drift(Context())


def test_drift_against_the_previous_run_is_reported_to_the_drift_asset(shop):
    profile(shop, "orders")
    shop.run("INSERT INTO orders VALUES (3, 90.0)")
    profile(shop, "orders")

    asset = table_asset(IDENTITY, "drift", TableRef("orders"))
    context = Context()
    operator = ProfileMeshDriftOperator(task_id="drift", config_path=shop.config, table="orders", outlets=[asset])
    report = operator.execute(context)

    assert report["severity"] == "high"
    (count,) = (finding for finding in report["findings"] if finding["metric"] == "count")
    assert (count["column"], count["before"], count["after"], count["change_percent"]) == (None, 2, 3, 50.0)
    assert (count["check"], count["severity"]) == ("absolute_threshold", "high")
    if EVENT_EXTRA.available:
        assert context["outlet_events"][asset].extra == report


def test_declaring_lineage_is_always_skipped():
    with pytest.raises(AirflowSkipException):
        ProfileMeshLineageOperator(task_id="declare").execute(Context())


@pytest.mark.parametrize(
    ("run", "params", "said"),
    [
        ({"run_type": "scheduled"}, {}, None),
        ({"run_type": "manual", "triggering_user_name": "ann"}, {"reason": "month end"}, "month end, by ann"),
        (
            {"run_type": "manual", "triggering_user_name": "ann", "conf": {"requested_by": "bob"}},
            {},
            "by ann",
        ),
        ({"run_type": "manual", "conf": {"requested_by": "bob"}}, {}, "by bob"),
        ({"run_type": "manual"}, {}, "by hand"),
        ({"run_type": "asset_materialization", "triggering_user_name": None}, {}, "by hand"),
        ({"run_type": "manual", "triggering_user_name": "x" * 999}, {}, f"by {'x' * 497}"),
    ],
)
def test_who_asked_and_why_are_kept_with_the_change(shop, run, params, said):
    context = Context(**params)
    context["dag_run"] = SimpleNamespace(**{"conf": None, **run})
    ProfileMeshDetectOperator(task_id="detect", config_path=shop.config).execute(context)

    with ProfileMeshHook(shop.config).workspace() as workspace:
        (change,) = workspace.ledger.history("orders", 1)
    assert [reason.after for reason in change.reasons if reason.kind == "requested"] == ([said] if said else [])
    # A later look that nobody asked for leaves it.
    refresh(shop)
    with ProfileMeshHook(shop.config).workspace() as workspace:
        assert workspace.ledger.history("orders", 1)[0].reasons == change.reasons
