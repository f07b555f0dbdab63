"""An edited file, a command and a click on a whole Airflow: each starts a refresh, and the ledger says who and why."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from profilemesh_airflow.cli import main
from profilemesh_airflow.compat.capabilities import WATCHERS
from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.workspace import Workspace
from tests.capable import needs
from tests.e2e.any_airflow import open_scene
from tests.project import Project

pytestmark = [pytest.mark.e2e, pytest.mark.minutes, needs(WATCHERS)]

DAGS = Path(__file__).parents[2] / "dags"
EXAMPLES = ("profilemesh_plan_refresh.py", "profilemesh_tables.py")
REFRESH = "profilemesh_plan_refresh"
TABLES = ("orders", "users", "items")
CONFIG_EVENTS = """
SELECT count(*) FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.uri = 'profilemesh://test/shop/config'
"""
SETTINGS = {
    # What the DAG files make of the configuration changes here.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,vera:viewer",
    # The first refresh starts by itself, while the api-server of a busy machine has hardly begun to answer.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory, postgres_url):
    folder = tmp_path_factory.mktemp("refresh")
    project = Project(folder)
    project.sections["airflow"] = {"redeliver_after": "1s"}
    project.fill()
    dags = {name: (DAGS / name).read_text() for name in EXAMPLES}
    with open_scene(folder / "home", postgres_url, project, dags, SETTINGS) as opened:
        opened.wait_for_dags({REFRESH, *(f"profilemesh_profile.test.shop.{table}" for table in TABLES)})
        yield opened


def events(scene):
    return scene.rows(CONFIG_EVENTS)[0][0]


def list_tables(scene, *tables):
    scene.project.configure(*tables)


def looks(scene):
    """How often a trigger began to watch."""
    return scene.airflow.log_of("triggerer").read_text().count("watching the configuration")


def restart_triggerer(scene, meanwhile=lambda: None):
    before = looks(scene)
    scene.airflow.kill_component("triggerer")
    meanwhile()
    scene.airflow.start_component("triggerer")
    scene.until(lambda: looks(scene) > before, "the trigger watches again")


def run(scene, *args, user="admin", **variables):
    passwords = json.loads((scene.airflow.home / "passwords.json").read_text())
    login = {"PROFILEMESH_AIRFLOW_USERNAME": user, "PROFILEMESH_AIRFLOW_PASSWORD": passwords[user]}
    env = {"PROFILEMESH_CONFIG": str(scene.project.config), "PROFILEMESH_AIRFLOW_URL": scene.airflow.url, **login}
    return CliRunner().invoke(main, args, prog_name="profilemesh-airflow", env={**env, **variables})


def reasons(scene, table):
    """Those of the latest change of a table."""
    with Workspace(load_config(scene.project.config)) as workspace:
        (entry,) = workspace.ledger.history(table, 1)
    return [str(reason) for reason in entry.reasons]


class TestRefresh:
    """One story: the steps build on each other, in this order."""

    def test_a_configuration_that_was_never_refreshed_is_an_edit(self, scene):
        scene.until(lambda: scene.profiled() == dict.fromkeys(TABLES, 1), "every table was profiled")
        assert scene.settled()[REFRESH] == "success"
        assert events(scene) == 1

    def test_an_edit_starts_the_profile_of_the_table_that_it_is_about(self, scene):
        list_tables(scene, {"table": "orders", "metrics": ["count"]}, "users", "items")
        scene.until(lambda: scene.profiled()["orders"] == 2, "orders was profiled again")

        assert scene.settled() == {REFRESH: "success", "profilemesh_profile.test.shop.orders": "success"}
        assert scene.profiled() == {"orders": 2, "users": 1, "items": 1}
        assert events(scene) == 2

    def test_a_triggerer_that_starts_anew_tells_of_nothing_that_it_told_before(self, scene):
        restart_triggerer(scene)
        os.utime(scene.project.config)
        # The next edit is one more event, and the only one.
        list_tables(scene, {"table": "orders", "metrics": ["count", "mean"]}, "users", "items")
        scene.until(lambda: scene.profiled()["orders"] == 3, "orders was profiled again")
        scene.settled()
        assert events(scene) == 3

    def test_an_edit_while_it_was_down_is_not_missed(self, scene):
        restart_triggerer(scene, lambda: list_tables(scene, "orders", "users", "items"))

        scene.until(lambda: scene.profiled()["orders"] == 4, "orders was profiled again")
        scene.settled()
        assert events(scene) == 4

    def test_while_the_file_is_broken_the_last_good_one_is_in_force_and_the_dags_stay(self, scene):
        good = scene.project.config.read_text()
        scene.project.config.write_text(good + "profiling: [\n")
        scene.project.sql("INSERT INTO users VALUES (3, 'Grete')")

        assert scene.run(REFRESH)["profilemesh_profile.test.shop.users"] == "success"
        assert scene.profiled()["users"] == 2
        scene.project.config.write_text(good)
        assert events(scene) == 4

    def test_the_command_starts_it_waits_and_the_ledger_has_who_and_why(self, scene):
        scene.project.sql("INSERT INTO items VALUES (2, 2.5)")
        result = run(scene, "refresh", "--reason", "stock came", "--wait")

        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[-1] == "1 profiled"
        assert "[1/1] items: profiled" in result.stderr
        assert reasons(scene, "items")[-1].startswith("requested: stock came, by admin")
        scene.settled()

        result = run(scene, "refresh", "orders", "--force", "--wait", "--format", "json")
        (table,) = json.loads(result.stdout)["tables"]
        assert (table["table_key"], table["state"]) == ("orders", "profiled")
        scene.settled()

    def test_a_dry_run_shows_the_difference_and_changes_nothing(self, scene):
        scene.project.sql("INSERT INTO items VALUES (3, 3.5)")
        before = scene.profiled()
        result = run(scene, "refresh", "--dry-run", "--wait")

        assert result.exit_code == 0, result.output
        assert "items  data: version" in " ".join(result.stdout.split()).replace("items data", "items  data")
        assert scene.settled() == {REFRESH: "success"}
        assert scene.profiled() == before

    def test_the_plan_asset_can_be_materialized(self, scene):
        before = scene.profiled()["items"]
        scene.airflow.run_command("assets", "materialize", "--uri", "profilemesh://test/shop/plan")

        scene.until(lambda: scene.profiled()["items"] == before + 1, "items was profiled")
        assert reasons(scene, "items")[-1].startswith("requested: by ")
        scene.settled()

    def test_a_viewer_may_not_refresh(self, scene):
        refused = run(scene, "refresh", user="vera")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "403 Forbidden; give the token or the login of a user who may do that" in refused.stderr

        unknown = run(scene, "refresh", PROFILEMESH_AIRFLOW_PASSWORD="mistaken")
        assert "as admin: 401; check user name and password" in unknown.stderr

        invalid = run(scene, "refresh", "--token", "no-such-token")
        assert invalid.exit_code == 1
        assert "no-such-token" not in invalid.output
        assert len(invalid.stderr.splitlines()) == 1

        nobody = run(scene, "refresh", PROFILEMESH_AIRFLOW_USERNAME="", PROFILEMESH_AIRFLOW_PASSWORD="")
        assert nobody.exit_code == 2
        assert scene.settled() == {}
