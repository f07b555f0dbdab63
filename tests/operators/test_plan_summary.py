"""The summary that a refresh publishes on the plan's own asset."""

from __future__ import annotations

import pytest

from profilemesh_airflow import ProfileMeshDetectOperator, ProfileMeshPlanSummaryOperator
from profilemesh_airflow.assets import plan_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.compat.assets import outlets
from profilemesh_airflow.compat.capabilities import EVENT_EXTRA
from tests.operators.tasks import IDENTITY, Context, profile_all


def summary(shop, **params):
    context = Context(**params)
    ProfileMeshDetectOperator(task_id="detect", config_path=shop.config).execute(context)
    return context.xcom["plan_summary"]


def test_a_refresh_that_rings_sums_up_what_changed(shop, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.usecases.watch.SUMMARISED_TABLES", 1)
    found = summary(shop)
    assert {**found, "plan_signature": None} == {
        "environment": "test",
        "source": "shop",
        "tables": 2,
        "changed_count": 2,
        "changed_tables": ["customers"],
        "removed_count": 0,
        "removed_tables": [],
        "metrics_requested": 26,
        "drift_strategy": "absolute_threshold",
        "plan_signature": None,
    }


def test_the_signature_is_the_same_as_long_as_the_plan_is(shop):
    first = summary(shop)["plan_signature"]
    profile_all(shop, changed_only=True)
    shop.run("INSERT INTO orders VALUES (3, 1.0)")
    assert summary(shop)["plan_signature"] == first


def test_a_refresh_that_rings_for_nobody_and_a_dry_run_leave_nothing_to_tell(shop):
    assert summary(shop, dry_run=True) == {}
    profile_all(shop)
    assert summary(shop) == {}


def test_the_summary_is_the_extra_of_the_plans_event(shop):
    asset = plan_asset(IDENTITY)
    context = Context()
    arguments = {"task_id": "plan_changed", "config_path": shop.config, "outlets": outlets(asset)}
    ProfileMeshPlanSummaryOperator(summary={"changed_count": 2}, **arguments).execute(context)
    if EVENT_EXTRA.available:
        assert context["outlet_events"][asset].extra == {"changed_count": 2}
    with pytest.raises(AirflowSkipException):
        ProfileMeshPlanSummaryOperator(summary={}, **arguments).execute(Context())
