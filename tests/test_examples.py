"""The example DAGs: each can be read, by itself and with the configuration that is shipped with them."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

from profilemesh_airflow.compat.airflow import DAG
from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.config import load_config

FOLDER = Path(__file__).parents[1] / "dags"

#: The DAGs of each file; those that need Datasets are told by the second value.
EXAMPLES = {
    "example_profile_all.py": ({"profilemesh_profile_all"}, False),
    "example_profile_parallel.py": ({"profilemesh_profile_parallel"}, False),
    "example_profile_specific.py": ({"profilemesh_profile_specific"}, False),
    "example_plan_monitor.py": ({"profilemesh_plan_monitor"}, False),
    "example_circuit_breaker.py": ({"profilemesh_publish_orders"}, False),
    "example_downstream.py": ({"profilemesh_report_on_profile", "profilemesh_alert_on_drift"}, True),
    "profilemesh_plan_refresh.py": ({"profilemesh_plan_refresh"}, True),
    "profilemesh_tables.py": ({f"profilemesh_profile.example.shop.{t}" for t in ("orders", "users", "items")}, True),
}


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    monkeypatch.delenv("PROFILEMESH_CONFIG", raising=False)


def dags(name):
    found = runpy.run_path(str(FOLDER / name))
    return {value.dag_id: value for value in found.values() if isinstance(value, DAG)}


def test_every_example_is_known_here():
    assert {path.name for path in FOLDER.glob("*.py")} == EXAMPLES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_can_be_read(name):
    dag_ids, needs_datasets = EXAMPLES[name]
    if needs_datasets and not DATASETS.available:
        pytest.skip("this Airflow has no Datasets")
    assert dags(name).keys() == dag_ids


def test_an_example_reads_the_configuration_that_is_named(tmp_path, monkeypatch):
    path = tmp_path / "mine.yml"
    path.write_text("source: {type: sqlite, filepath: x.db}\nprofiling: {tables: [{table: mine}, {table: items}]}\n")
    monkeypatch.setenv("PROFILEMESH_CONFIG", str(path))
    (dag,) = dags("example_profile_parallel.py").values()
    assert set(dag.task_ids) == {"profile_tables.mine", "sum_up"}


def test_the_shipped_configuration_is_right():
    loaded = load_config(FOLDER / "config.yml", {**os.environ})
    assert loaded.warnings == ()
    assert [table.table for table in loaded.model.profiling.tables] == ["orders", "users", "items"]


def test_the_sensor_comes_before_what_profiles_just_the_changes():
    (dag,) = dags("example_plan_monitor.py").values()
    assert dag.get_task("detect_plan_changes").downstream_task_ids == {"profile_changed"}
    assert dag.get_task("profile_changed").changed_only
    assert dag.get_task("detect_plan_changes").soft_fail
