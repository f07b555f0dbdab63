"""One table's ring task, as a refresh DAG has it before Airflow 2.10."""

from __future__ import annotations

import pytest

from profilemesh_airflow import ProfileMeshDetectOperator
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.operators.doorbell import ProfileMeshDoorbellOperator
from tests.operators.tasks import Context, doorbell, profile, refresh


def test_each_table_rings_for_its_own_change_alone(shop):
    chunks = refresh(shop)

    assert [event.key for event in doorbell(shop, "orders", chunks)] == ["orders"]
    assert [event.key for event in doorbell(shop, "customers", chunks)] == ["customers"]
    assert refresh(shop) == []


def test_a_table_without_news_is_skipped_and_says_why(shop):
    chunks = refresh(shop)
    profile(shop, "orders", changed_only=True)

    operator = ProfileMeshDoorbellOperator(task_id="ring", config_path=shop.config, table="orders", change_ids=chunks)
    with pytest.raises(AirflowSkipException, match="no change of orders is to be rung that waits for a worker"):
        operator.execute(Context())


def test_the_detecting_task_skips_the_ring_tasks_of_all_other_tables(shop, monkeypatch):
    skipped = []
    monkeypatch.setattr(
        "profilemesh_airflow.operators.refresh.skip_tasks", lambda context, task_ids: skipped.extend(task_ids)
    )
    chunks = refresh(shop)
    doorbell(shop, "orders", chunks)
    profile(shop, "customers", changed_only=True)
    shop.run("INSERT INTO customers VALUES ('bob')")

    detect = ProfileMeshDetectOperator(
        task_id="detect", config_path=shop.config, ring_tasks={"orders": "ring.orders", "customers": "ring.customers"}
    )
    detect.execute(Context())
    assert skipped == ["ring.orders"]
