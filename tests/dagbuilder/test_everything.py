"""All DAGs of a configuration by one call, and the assets to schedule one's own on."""

from __future__ import annotations

import pytest

from profilemesh_airflow import build_profilemesh_dags, profilemesh_asset
from profilemesh_airflow.compat.capabilities import DATASETS, PARSING_CONTEXT
from profilemesh_airflow.exceptions import UnknownTableError
from tests.capable import lacks, needs

CONFIG = """
environment: prod
source: {name: shop, type: postgres, host: db.invalid, database: shop}
profiling: {tables: [{schema: sales, table: orders}, {schema: hr, table: orders}]}
airflow: {refresh_schedule: "*/10 * * * *"}
"""
TABLES = {"profilemesh_profile.prod.shop.sales.orders", "profilemesh_profile.prod.shop.hr.orders"}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(CONFIG)
    return path


@needs(DATASETS)
def test_one_call_builds_the_refresh_and_a_dag_a_table(config):
    dags = build_profilemesh_dags(config)
    assert set(dags) == {"profilemesh_plan_refresh", *TABLES}
    assert {dag_id: dag.dag_id for dag_id, dag in dags.items()} == {dag_id: dag_id for dag_id in dags}


@needs(DATASETS)
def test_arguments_reach_every_dag_and_some_the_refresh_alone(config):
    dags = build_profilemesh_dags(
        config,
        refresh_dag_id="mine",
        dag_id_prefix="p",
        tags=["team:data"],
        default_args={"owner": "ann"},
        refresh_args={"max_active_tasks": 3},
        max_active_runs=2,
    )
    assert set(dags) == {"mine", "p.prod.shop.sales.orders", "p.prod.shop.hr.orders"}
    assert {dag.max_active_runs for dag in dags.values()} == {2}
    assert {task.owner for dag in dags.values() for task in dag.tasks} == {"ann"}
    assert all({"team:data", "source:shop", "environment:prod"} <= set(dag.tags) for dag in dags.values())
    assert [dag_id for dag_id, dag in dags.items() if dag.max_active_tasks == 3] == ["mine"]


@needs(PARSING_CONTEXT)
@pytest.mark.parametrize("wanted", ["profilemesh_plan_refresh", "profilemesh_profile.prod.shop.hr.orders"])
def test_only_the_dag_whose_task_runs_is_built(config, monkeypatch, wanted):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", wanted)
    assert list(build_profilemesh_dags(config)) == [wanted]


@lacks(DATASETS)
def test_without_datasets_one_dag_polls(config):
    (dag,) = build_profilemesh_dags(config).values()
    assert dag.task_ids == ["wait_for_change", "profile_changed"]


def test_the_assets_of_a_table_and_of_the_plan_are_found_by_name(config):
    uris = [
        profilemesh_asset(config, "sales.orders").uri,
        profilemesh_asset(config, "hr.orders", "drift").uri,
        profilemesh_asset(config).uri,
    ]
    assert uris == [
        "profilemesh://prod/shop/profile/sales/orders",
        "profilemesh://prod/shop/drift/hr/orders",
        "profilemesh://prod/shop/plan",
    ]
    with pytest.raises(UnknownTableError, match="ambiguous"):
        profilemesh_asset(config, "orders")
    with pytest.raises(ValueError, match="kind"):
        profilemesh_asset(config, "sales.orders", "profiled")
