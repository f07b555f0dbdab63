"""Every example DAG runs on a whole Airflow of whichever release is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from profilemesh_airflow.compat.airflow import find
from profilemesh_airflow.compat.capabilities import DATASETS, TASK_SDK
from tests.capable import needs
from tests.e2e.any_airflow import open_scene
from tests.project import Project

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parents[2] / "dags"
TABLES = ("orders", "users", "items")
REFRESH, REPORT, ALERT = "profilemesh_plan_refresh", "profilemesh_report_on_profile", "profilemesh_alert_on_drift"
ALL, PARALLEL, SPECIFIC = "profilemesh_profile_all", "profilemesh_profile_parallel", "profilemesh_profile_specific"
PUBLISH, MONITOR = "profilemesh_publish_orders", "profilemesh_plan_monitor"

#: Two come later, as they have a schedule and start by themselves: the daily one, and the monitor, which would wait.
EVERYWHERE = ("profile_parallel", "profile_specific", "circuit_breaker")
FILES = [f"example_{name}.py" for name in EVERYWHERE]
if DATASETS.available:
    FILES += ["example_downstream.py", "profilemesh_plan_refresh.py", "profilemesh_tables.py"]


def source(name):
    return (DAGS / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scene(tmp_path_factory, postgres_url):
    folder = tmp_path_factory.mktemp("examples")
    project = Project(folder)
    # What runs here, the tests start.
    project.sections["airflow"] = {"watch": {"enabled": False}}
    project.fill()
    with open_scene(folder / "home", postgres_url, project, {name: source(name) for name in FILES}) as opened:
        listening = (REFRESH, REPORT, ALERT) if DATASETS.available else ()
        opened.wait_for_dags({PARALLEL, SPECIFIC, PUBLISH, *listening})
        yield opened


def started(scene, dag_id):
    """What becomes of the run that a schedule starts by itself, once the DAG is there."""
    name = f"{dag_id.replace('profilemesh', 'example', 1)}.py"
    (scene.airflow.home / "dags" / name).write_text(source(name), encoding="utf-8")
    scene.wait_for_dags({dag_id})
    scene.until(lambda: scene.rows(f"SELECT 1 FROM dag_run WHERE dag_id = '{dag_id}'"), f"{dag_id} is started")
    return scene.settled()


def test_a_daily_dag_profiles_every_table(scene):
    assert started(scene, ALL) == {ALL: "success"}
    assert scene.profiled() == dict.fromkeys(TABLES, 1)


def test_a_task_a_table_profiles_them_and_whoever_listens_to_a_profile_runs(scene):
    downstream = {REPORT: "success"} if DATASETS.available else {}
    assert scene.run(PARALLEL) == {PARALLEL: "success", **downstream}
    assert scene.tasks(PARALLEL) == {
        "profile_tables.orders": "success",
        "profile_tables.users": "success",
        "sum_up": "success",
    }
    assert scene.profiled() == {"orders": 2, "users": 2, "items": 1}


def test_the_tables_that_are_named_are_profiled(scene):
    assert scene.run(SPECIFIC) == {SPECIFIC: "success"}
    assert scene.profiled() == {"orders": 3, "users": 3, "items": 2}


@needs(DATASETS)
def test_whoever_listens_to_drift_runs_when_a_changed_table_drifted(scene):
    scene.project.sql(*(f"INSERT INTO orders VALUES ({number}, 5.0, 'x')" for number in range(10, 20)))
    profiled = "profilemesh_profile.test.shop.orders"
    assert scene.run(REFRESH) == dict.fromkeys((REFRESH, profiled, REPORT, ALERT), "success")
    assert scene.tasks(REFRESH)["plan_changed"] == "success"


def test_a_table_is_published_unless_it_drifted(scene):
    assert scene.run(PUBLISH) == {PUBLISH: "success"}
    if hasattr(find("airflow.models.dagrun", "DagRun"), "note") and not TASK_SDK.available:
        ((note,),) = scene.rows("SELECT content FROM dag_run_note WHERE content LIKE '%metrics%' ORDER BY 1 LIMIT 1")
        assert note.startswith("orders was profiled because of ")
    assert scene.tasks(PUBLISH)["publish"] == "success"

    scene.project.sql(*(f"INSERT INTO orders VALUES ({number}, 5.0, 'x')" for number in range(100, 200)))
    assert scene.run(PUBLISH) == {PUBLISH: "failed"}
    assert scene.tasks(PUBLISH) == {"profile": "success", "circuit_breaker": "failed", "publish": "upstream_failed"}


def test_the_sensor_finds_what_changed_and_just_that_is_profiled(scene):
    before = scene.profiled()
    scene.project.sql("INSERT INTO users VALUES (3, 'Joan')")

    assert started(scene, MONITOR) == {MONITOR: "success"}
    assert scene.tasks(MONITOR) == {"detect_plan_changes": "success", "profile_changed": "success"}
    assert scene.profiled() == {**before, "users": before["users"] + 1}
