"""The main job on a whole Airflow of whichever release is installed: one table changes, exactly its profile runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from profilemesh_airflow.cli import main
from profilemesh_airflow.compat.capabilities import ALIAS, ANY_ASSET, DATASETS, TASK_SDK
from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.workspace import Workspace
from tests.capable import lacks, needs
from tests.e2e.any_airflow import open_scene
from tests.project import Project

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parents[2] / "dags"
REFRESH = "profilemesh_plan_refresh"
POLLING = "profilemesh_polling"
PATIENT = "patient"
POLLING_FILE = """
import os
from datetime import timedelta
from profilemesh_airflow import build_polling_dag

config = os.environ["PROFILEMESH_CONFIG"]
# What waits in the triggerer is tried again more often than the rest.
again = {"schedule": None, "default_args": {"retries": 5, "retry_delay": timedelta(seconds=1)}}
dag = build_polling_dag(config, sensor_args={"poke_interval": 2, "timeout": 5}, **again)
patient = build_polling_dag(config, dag_id="patient", sensor_args={"poke_interval": 2}, **again)
"""
#: Its task loads the table, and publishes on an asset that nobody of this package publishes on.
LOADED = "s3://lake/items"
LOAD_FILE = """
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from profilemesh_airflow.compat.airflow import Asset, task
from profilemesh_airflow.compat.capabilities import TASK_SDK
from profilemesh_airflow.compat.dags import make_dag

with make_dag("load", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False) as dag:

    @task(outlets=[Asset(name="loaded_items", uri={uri!r}) if TASK_SDK.available else Asset({uri!r})])
    def load():
        with closing(sqlite3.connect({database!r})) as connection, connection:
            connection.execute("INSERT OR REPLACE INTO items VALUES (7, 7.5)")

    load()
"""
LOAD = "load"
TABLES = ("orders", "users", "items")
EXAMPLES = ("profilemesh_plan_refresh.py", "profilemesh_tables.py") if DATASETS.available else ()


def dag_of(table):
    return f"profilemesh_profile.test.shop.{table}"


@pytest.fixture(scope="module")
def scene(tmp_path_factory, postgres_url):
    folder = tmp_path_factory.mktemp("any")
    project = Project(folder)
    # A sensor that has to begin anew does not wait to tell of the same change.
    project.sections["airflow"] = {"redeliver_after": "1s", "upstream_debounce": "3s", "watch": {"enabled": False}}
    project.fill()
    project.configure("orders", "users", {"table": "items", "triggered_by": LOADED})
    dags = {name: (DAGS / name).read_text() for name in EXAMPLES} | {"polling.py": POLLING_FILE}
    if ANY_ASSET.available:
        dags["load.py"] = LOAD_FILE.format(uri=LOADED, database=str(project.source))
    with open_scene(folder / "home", postgres_url, project, dags) as opened:
        yield opened


@needs(DATASETS)
class TestByAssets:
    """One story: the steps build on each other, in this order."""

    def test_the_first_refresh_profiles_every_table(self, scene):
        scene.wait_for_dags({REFRESH, *map(dag_of, TABLES)})

        assert scene.run(REFRESH) == {REFRESH: "success"} | {dag_of(table): "success" for table in TABLES}
        assert scene.profiled() == dict.fromkeys(TABLES, 1)
        assert scene.tasks(dag_of("orders")) == {"profile": "success", "drift": "skipped"}

    def test_one_table_changes_and_exactly_its_profile_runs(self, scene):
        scene.project.sql("INSERT INTO orders VALUES (4, 8.0, 'c')")

        assert scene.run(REFRESH) == {REFRESH: "success", dag_of("orders"): "success"}
        assert scene.profiled() == {"orders": 2, "users": 1, "items": 1}
        if not ALIAS.available:
            assert scene.tasks(REFRESH) == {
                "detect_and_record": "success",
                "plan_changed": "success",
                "ring.orders": "success",
                "ring.users": "skipped",
                "ring.items": "skipped",
            }

    def test_nothing_changes_and_nothing_runs(self, scene):
        assert scene.run(REFRESH) == {REFRESH: "success"}
        assert scene.profiled() == {"orders": 2, "users": 1, "items": 1}

    @needs(ANY_ASSET)
    def test_a_load_job_starts_the_profile_of_what_it_loaded(self, scene):
        scene.wait_for_dags({LOAD})
        assert scene.run(LOAD) == {LOAD: "success", dag_of("items"): "success"}
        assert scene.profiled() == {"orders": 2, "users": 1, "items": 2}


def refresh(scene, *args, user="admin", password=None):
    """What the command does that asks this Airflow."""
    env = {
        "PROFILEMESH_CONFIG": str(scene.project.config),
        "PROFILEMESH_AIRFLOW_URL": scene.airflow.url,
        "PROFILEMESH_AIRFLOW_USERNAME": user,
        "PROFILEMESH_AIRFLOW_PASSWORD": password or scene.airflow.password,
    }
    return CliRunner().invoke(main, ["refresh", *args], prog_name="profilemesh-airflow", env=env)


@needs(DATASETS)
@lacks(TASK_SDK)
class TestByRest:
    """The command asks the REST API of Airflow 2; tests/e2e/test_refresh.py has that of Airflow 3."""

    def test_its_web_server_starts(self, scene):
        def answers():
            try:
                return httpx.get(f"{scene.airflow.url}/health", timeout=30).status_code == 200
            except httpx.TransportError:
                return False

        scene.airflow.start_web_server()
        scene.until(answers, "the web server answers")
        for name, role in ("admin", "Admin"), ("vera", "Viewer"):
            scene.airflow.add_user(name, role)

    def test_the_command_starts_it_and_waits(self, scene):
        before = scene.profiled()
        scene.project.sql("INSERT INTO users VALUES (4, 'Lise')")
        result = refresh(scene, "--reason", "month end", "--wait", "--timeout", "4m")

        assert result.exit_code == 0, result.output
        assert result.output.splitlines()[-1] == "1 profiled"
        assert scene.settled() == {REFRESH: "success", dag_of("users"): "success"}
        assert scene.profiled() == {**before, "users": before["users"] + 1}
        with Workspace(load_config(scene.project.config)) as workspace:
            (entry,) = workspace.ledger.history("users", 1)
        assert str(entry.reasons[-1]).startswith("requested: month end, by admin")

    def test_a_viewer_may_not_refresh_and_nobody_may_with_another_password(self, scene):
        viewer, mistaken = refresh(scene, user="vera"), refresh(scene, password="mistaken")

        assert (viewer.exit_code, mistaken.exit_code) == (1, 1)
        assert "403" in viewer.output
        # Airflow 2.9 and later say 403 to nobody, too.
        told = ("401; check user name and password", "403 Forbidden; give the token or the login of a user who may")
        assert any(text in mistaken.output for text in told)
        assert scene.settled() == {}


class TestByPolling:
    """The same job without Datasets, over the same ledger; where there are Datasets it goes on where they left off."""

    def test_what_was_never_profiled_is(self, scene):
        scene.wait_for_dags({POLLING, PATIENT})
        first = not scene.profiled()

        assert scene.run(POLLING) == {POLLING: "success"}
        if first:
            assert scene.profiled() == dict.fromkeys(TABLES, 1)
            assert scene.tasks(POLLING) == {"wait_for_change": "success", "profile_changed": "success"}

    def test_one_table_changes_and_exactly_it_is_profiled(self, scene):
        before = scene.profiled()
        scene.project.sql("INSERT INTO users VALUES (3, 'Grete')")

        assert scene.run(POLLING) == {POLLING: "success"}
        assert scene.profiled() == {**before, "users": before["users"] + 1}

    def test_nothing_changes_and_the_sensor_is_skipped_in_the_end(self, scene):
        before = scene.profiled()

        assert scene.run(POLLING) == {POLLING: "success"}
        assert scene.tasks(POLLING) == {"wait_for_change": "skipped", "profile_changed": "skipped"}
        assert scene.profiled() == before

    def test_a_change_that_comes_while_the_sensor_waits_in_the_triggerer_ends_the_wait(self, scene):
        before = scene.profiled()
        scene.trigger(PATIENT)
        scene.until(lambda: scene.tasks(PATIENT).get("wait_for_change") == "deferred", "the sensor waits")
        scene.project.sql("INSERT INTO items VALUES (2, 2.5)")

        assert scene.settled() == {PATIENT: "success"}
        assert scene.profiled() == {**before, "items": before["items"] + 1}


def test_the_earlier_cursor_is_read_from_airflows_own_database(scene):
    scene.wait_for_dags({PATIENT})
    cursor = {"environment": "test", "drift_strategy": "absolute_threshold", "tables": {}}
    scene.execute(
        "INSERT INTO variable (key, val, is_encrypted) VALUES ('cursor', :cursor, false)", cursor=json.dumps(cursor)
    )

    command = ["import-cursor", "-c", str(scene.project.config), "--variable", "cursor", "--dry-run"]
    told = subprocess.run(
        [sys.executable, "-m", "profilemesh_airflow", *command], env=scene.airflow.env, capture_output=True, text=True
    )
    assert (told.returncode, told.stdout.splitlines()[-1:]) == (0, ["0 of 3 tables would be taken over"]), told.stderr
