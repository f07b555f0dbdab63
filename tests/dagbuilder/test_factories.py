"""The DAG factories, as a DAG file calls them."""

from __future__ import annotations

import socket
import sqlite3

import pytest

from profilemesh_airflow import build_plan_refresh_dag, build_profiling_dags
from profilemesh_airflow.compat.airflow import Asset, AssetAlias
from profilemesh_airflow.compat.capabilities import ALIAS, ANY_ASSET, DATASETS, PARSING_CONTEXT
from profilemesh_airflow.exceptions import ConfigError, NotBuiltError
from tests.capable import lacks, needs
from tests.dagbuilder.parsed import awaited, cron_of, outlets_of

pytestmark = needs(DATASETS)

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

    assert {dag_id: awaited(dag) for dag_id, dag in dags.items()} == {
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
    assert outlets_of(dag, "profile") == ["profilemesh://prod/shop/profile/hr/orders"]
    assert outlets_of(dag, "drift") == ["profilemesh://prod/shop/drift/hr/orders"]
    assert dag.get_task("profile").changed_only
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False


@needs(ALIAS)
@pytest.mark.usefixtures("no_network")
def test_the_refresh_dag_detects_rings_through_an_alias_and_declares_every_table(config):
    dag = build_plan_refresh_dag(config)

    assert dag.dag_id == "profilemesh_plan_refresh"
    assert cron_of(dag) == "*/10 * * * *"
    assert set(dag.task_ids) == {"detect_and_record", "plan_changed", "ring", "declare_lineage"}
    assert dag.get_task("detect_and_record").downstream_task_ids == {"plan_changed", "ring"}
    assert outlets_of(dag, "plan_changed") == ["profilemesh://prod/shop/plan"]
    assert type(dag.get_task("ring")).__name__ == "MappedOperator"
    assert [type(outlet) for outlet in dag.get_task("ring").partial_kwargs["outlets"]] == [AssetAlias]
    declared = dag.get_task("declare_lineage").outlets
    assert all(isinstance(asset, Asset) and getattr(asset, "name", asset.uri) == asset.uri for asset in declared)
    assert len({asset.uri for asset in declared}) == 5


@lacks(ALIAS)
@pytest.mark.usefixtures("no_network")
def test_without_an_alias_the_refresh_dag_has_a_ring_task_a_table_with_the_tables_asset_as_its_outlet(config):
    dag = build_plan_refresh_dag(config)

    detect = dag.get_task("detect_and_record")
    assert set(dag.task_ids) == {"detect_and_record", *detect.downstream_task_ids}
    assert detect.ring_tasks == {
        "sales.orders": "ring.sales.orders",
        "hr.orders": "ring.hr.orders",
        "sales.a%2Eb": "ring.sales.a_2Eb__b7beec3b",
        "sales.a-b": "ring.sales.a-b",
        "sales.a_b": "ring.sales.a_b",
    }
    assert {key: outlets_of(dag, task_id) for key, task_id in detect.ring_tasks.items()} == {
        "sales.orders": ["profilemesh://prod/shop/change/sales/orders"],
        "hr.orders": ["profilemesh://prod/shop/change/hr/orders"],
        "sales.a%2Eb": ["profilemesh://prod/shop/change/sales/a%2Eb"],
        "sales.a-b": ["profilemesh://prod/shop/change/sales/a-b"],
        "sales.a_b": ["profilemesh://prod/shop/change/sales/a_b"],
    }
    assert {dag.get_task(task_id).table for task_id in detect.ring_tasks.values()} == {"orders", "a.b", "a-b", "a_b"}
    assert outlets_of(dag, "plan_changed") == ["profilemesh://prod/shop/plan"]


def test_the_trigger_form_offers_the_tables_and_changes_nothing_by_default(config):
    params = build_plan_refresh_dag(config).params

    assert params.dump() == {"tables": [], "force": False, "reason": "", "dry_run": False}
    assert params.get_param("tables").schema["examples"][0] == "sales.orders"


@needs(PARSING_CONTEXT)
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

    assert (dag.dag_id, cron_of(dag), dag.max_active_runs) == ("mine", None, 2)
    assert set(dag.tags) == {"profilemesh", "environment:prod", "source:shop", "team:data"}
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
    assert cron_of(build_plan_refresh_dag(config)) == "*/10 * * * *"


def test_what_is_not_built_is_refused_by_name(config):
    config.write_text(CONFIG.replace("airflow: {", "airflow: {topology: partitioned, "))
    with pytest.raises(NotBuiltError, match=r"airflow\.topology"):
        build_profiling_dags(config)


HEARD = """
environment: prod
source: {name: shop, type: postgres, host: db.invalid, database: shop, username: u, password: s3cret-word}
profiling:
  tables:
    - {schema: sales, table: orders, listen_to_upstream: true, triggered_by: s3://lake/orders}
    - {schema: hr, table: orders, triggered_by: [s3://lake/hr]}
    - {schema: sales, table: items}
"""


def heard(config):
    """What starts each table's DAG beside its doorbell, and whether its task looks at the table then."""
    found = {}
    for dag_id, dag in build_profiling_dags(config).items():
        bell, *others = awaited(dag)
        assert bell.startswith("profilemesh://prod/shop/change/")
        name = dag_id.removeprefix("profilemesh_profile.prod.shop.")
        found[name] = (others, dag.get_task("profile").listen_to_upstream)
    return found


@needs(ANY_ASSET)
@pytest.mark.usefixtures("no_network")
def test_a_table_is_also_started_by_its_own_asset_and_by_those_that_are_named(config):
    config.write_text(HEARD)
    own = "postgres://db.invalid:5432/shop/sales/orders"
    assert heard(config) == {
        "sales.orders": ([own, "s3://lake/orders"], True),
        "hr.orders": (["s3://lake/hr"], True),
        "sales.items": ([], False),
    }


@needs(ANY_ASSET)
def test_all_tables_may_listen_but_those_that_are_not_to(config):
    quiet = HEARD.replace("table: items", "table: items, listen_to_upstream: false")
    config.write_text(quiet + "airflow: {listen_to_upstream: true}\n")
    assert [len(uris) for uris, _ in heard(config).values()] == [2, 2, 0]


@lacks(ANY_ASSET)
def test_where_one_asset_or_another_cannot_start_a_dag_it_is_the_doorbell_and_that_is_said(config, caplog):
    config.write_text(HEARD)
    assert [uris for uris, _ in heard(config).values()] == [[], [], []]
    assert "here, the next refresh finds what loads" in caplog.text


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("source: {name: shop, conn_id: warehouse}", "must not look up the connection 'warehouse'"),
        ("source: {name: shop, type: sqlite, filepath: shop.db}", "no asset URI for a table of type sqlite"),
        ("source: {name: shop, type: postgres, database: shop}", "does not give its host"),
    ],
)
def test_an_asset_whose_uri_is_not_known_is_an_error_that_says_what_else_can_be_done(config, source, why):
    lines = [source if line.startswith("source:") else line for line in HEARD.splitlines()]
    config.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=rf"listen_to_upstream: .*{why}.*triggered_by"):
        build_profiling_dags(config)
