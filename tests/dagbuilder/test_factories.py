"""The DAG factories, as a DAG file calls them."""

from __future__ import annotations

import socket
import sqlite3

import pytest

from profilemesh_airflow import build_plan_refresh_dag, build_profiling_dags
from profilemesh_airflow.compat.airflow import Asset, AssetAlias
from profilemesh_airflow.exceptions import ConfigError, NotBuiltError

CONFIG = """
environment: prod
source: {name: shop, type: postgres, host: db.invalid, database: shop, username: u, password: s3cret-word}
storage: {connection: {type: postgres, host: store.invalid, database: pm}}
profiling:
  tables:
    - {schema: sales, table: orders}
    - {schema: hr, table: orders}
    - {schema: sales, table: a.b}
    - {schema: sales, table: a-b}
    - {schema: sales, table: a_b}
airflow: {refresh_schedule: "*/10 * * * *"}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def no_network(monkeypatch):
    """Parsing must not open a database; connecting to one would raise."""

    def refuse(*_, **__):
        raise AssertionError("a DAG file connected to something while it was parsed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(sqlite3, "connect", refuse)
    monkeypatch.setattr("sqlalchemy.create_engine", refuse)


@pytest.mark.usefixtures("no_network")
def test_one_dag_a_table_is_scheduled_on_the_tables_change_asset(config):
    dags = build_profiling_dags(config)

    assert {dag_id: [asset.uri for asset in dag.schedule] for dag_id, dag in dags.items()} == {
        "profilemesh_profile.prod.shop.sales.orders": ["profilemesh://prod/shop/change/sales/orders"],
        "profilemesh_profile.prod.shop.hr.orders": ["profilemesh://prod/shop/change/hr/orders"],
        "profilemesh_profile.prod.shop.sales.a_2Eb__1871b10b": ["profilemesh://prod/shop/change/sales/a%2Eb"],
        "profilemesh_profile.prod.shop.sales.a-b": ["profilemesh://prod/shop/change/sales/a-b"],
        "profilemesh_profile.prod.shop.sales.a_b": ["profilemesh://prod/shop/change/sales/a_b"],
    }


def test_a_table_dag_profiles_then_looks_for_drift_and_each_task_has_its_own_outlet(config):
    dag = build_profiling_dags(config)["profilemesh_profile.prod.shop.hr.orders"]

    assert dag.task_ids == ["profile", "drift"]
    assert dag.get_task("profile").downstream_task_ids == {"drift"}
    assert [asset.uri for asset in dag.get_task("profile").outlets] == ["profilemesh://prod/shop/profile/hr/orders"]
    assert [asset.uri for asset in dag.get_task("drift").outlets] == ["profilemesh://prod/shop/drift/hr/orders"]
    assert dag.get_task("profile").changed_only
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False


@pytest.mark.usefixtures("no_network")
def test_the_refresh_dag_detects_rings_through_an_alias_and_declares_every_table(config):
    dag = build_plan_refresh_dag(config)

    assert dag.dag_id == "profilemesh_plan_refresh"
    assert dag.schedule == "*/10 * * * *"
    assert set(dag.task_ids) == {"detect_and_record", "ring", "declare_lineage"}
    assert dag.get_task("detect_and_record").downstream_task_ids == {"ring"}
    assert dag.get_task("ring").is_mapped
    assert [type(outlet) for outlet in dag.get_task("ring").partial_kwargs["outlets"]] == [AssetAlias]
    declared = dag.get_task("declare_lineage").outlets
    assert all(isinstance(asset, Asset) and asset.name == asset.uri for asset in declared)
    assert len({asset.uri for asset in declared}) == 5


def test_the_trigger_form_offers_the_tables_and_changes_nothing_by_default(config):
    params = build_plan_refresh_dag(config).params

    assert params.dump() == {"tables": [], "force": False, "reason": "", "dry_run": False}
    assert params.get_param("tables").schema["examples"][0] == "sales.orders"


def test_only_the_dag_whose_task_runs_is_built(config, monkeypatch):
    wanted = "profilemesh_profile.prod.shop.hr.orders"
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", wanted)
    assert list(build_profiling_dags(config)) == [wanted]

    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "somebody_elses_dag")
    assert build_profiling_dags(config) == {}


def test_arguments_of_the_caller_win_and_tags_are_added(config):
    dag = build_plan_refresh_dag(
        config, dag_id="mine", schedule=None, tags=["team:data"], default_args={"owner": "ann"}, max_active_runs=2
    )

    assert (dag.dag_id, dag.schedule, dag.max_active_runs) == ("mine", None, 2)
    assert dag.tags == {"profilemesh", "environment:prod", "team:data"}
    assert dag.get_task("detect_and_record").owner == "ann"
    one = next(iter(build_profiling_dags(config, dag_id_prefix="p", default_args={"retries": 3}).values()))
    assert one.dag_id.startswith("p.prod.shop.")
    assert one.get_task("profile").retries == 3


def test_nothing_that_is_serialised_holds_a_secret(config):
    for dag in [build_plan_refresh_dag(config), *build_profiling_dags(config).values()]:
        shown = "".join(repr(vars(task)) for task in dag.tasks) + repr(vars(dag))
        assert "s3cret-word" not in shown


def test_a_wrong_configuration_is_the_import_error_of_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yml"):
        build_profiling_dags(tmp_path / "nowhere.yml")


def test_a_budget_and_a_deadline_change_no_dag(config):
    plain = list(build_profiling_dags(config))
    config.write_text(CONFIG.replace("airflow: {", "airflow: {budget: {tables: 5, bytes: 10GB}, deadline: 3d, "))

    assert list(build_profiling_dags(config)) == plain
    assert build_plan_refresh_dag(config).schedule == "*/10 * * * *"


@pytest.mark.parametrize("option", ["topology: partitioned", "listen_to_upstream: true"])
def test_what_is_not_built_is_refused_by_name(config, option):
    config.write_text(CONFIG.replace("airflow: {", f"airflow: {{{option}, "))
    with pytest.raises(NotBuiltError, match=rf"airflow\.{option.split(':')[0]}"):
        build_profiling_dags(config)
