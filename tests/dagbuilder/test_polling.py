"""The polling DAG, which every release of Airflow can run."""

from __future__ import annotations

import pytest

from profilemesh_airflow import build_polling_dag, build_profilemesh_dags
from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.exceptions import ConfigError
from tests.capable import lacks
from tests.dagbuilder.parsed import cron_of

CONFIG = """
environment: prod
source: {name: shop, type: postgres, host: db.invalid, database: shop, username: u, password: s3cret-word}
profiling: {tables: [{schema: sales, table: orders}]}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(CONFIG)
    return path


def test_a_sensor_waits_for_a_change_and_what_changed_is_profiled_one_run_at_a_time(config):
    dag = build_polling_dag(config)

    assert (dag.dag_id, cron_of(dag), dag.max_active_runs, dag.catchup) == (
        "profilemesh_polling",
        "*/5 * * * *",
        1,
        False,
    )
    assert dag.get_task("wait_for_change").downstream_task_ids == {"profile_changed"}
    assert dag.get_task("wait_for_change").soft_fail
    assert dag.get_task("profile_changed").changed_only


def test_schedule_and_patience_are_those_of_the_configuration_or_the_caller(config):
    config.write_text(f"{CONFIG}airflow: {{refresh_schedule: '@hourly'}}\n")

    assert cron_of(build_polling_dag(config)) == "@hourly"
    dag = build_polling_dag(
        config,
        dag_id="mine",
        schedule=None,
        sensor_args={"poke_interval": 7, "timeout": 60},
        default_args={"owner": "ann"},
    )
    sensor = dag.get_task("wait_for_change")
    assert (dag.dag_id, cron_of(dag)) == ("mine", None)
    assert (sensor.poke_interval, sensor.timeout, sensor.owner) == (7, 60, "ann")


def test_a_wrong_configuration_is_the_import_error_of_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yml"):
        build_polling_dag(tmp_path / "nowhere.yml")


@lacks(DATASETS)
def test_one_call_that_builds_everything_builds_the_polling_dag_where_there_are_no_datasets(config):
    dags = build_profilemesh_dags(config, refresh_args={"schedule": "@daily"})

    assert list(dags) == ["profilemesh_plan_refresh"]
    assert dags["profilemesh_plan_refresh"].task_ids == ["wait_for_change", "profile_changed"]
