"""``import-cursor``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.earlier import AMOUNT, earlier_in


@pytest.fixture
def cursor(project):
    earlier_in(project.store).profile("run-1", "orders", {("amount", "REAL"): AMOUNT}, schema=None)
    project.sections["profiling"] = {"metrics": ["count"]}
    project.fill()
    project.configure("orders", "users")
    table = {"name": "orders", "schema": None, "metrics": ["count"], "partition": None, "sampling": None}
    return json.dumps({"environment": "test", "drift_strategy": "absolute_threshold", "tables": {"orders": table}})


def test_the_cursor_is_read_from_airflows_variable(project, cursor, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_PROFILEMESH_PLAN_CURSOR", cursor)
    result = project.run("import-cursor")
    assert result.stdout.splitlines() == [
        "orders: taken over, as run run-1 left it",
        "users: not taken over: the cursor does not know it, or knows two of that name",
        "1 of 2 tables taken over",
    ]
    assert json.loads(project.run("diff", "--format", "json").stdout)["changes"][0]["table_key"] == "users"


def test_it_is_read_from_a_variable_of_another_name_or_a_file(project, cursor, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_VAR_MINE", cursor)
    found = json.loads(project.run("import-cursor", "--variable", "mine", "--dry-run", "--format", "json").stdout)
    assert found["taken_over"] == [{"table_key": "orders", "run_id": "run-1"}]
    path = tmp_path / "cursor.json"
    path.write_text(cursor)
    assert "1 of 2 tables would be taken over" in project.run("import-cursor", "--file", str(path), "--dry-run").stdout
    assert "1 of 2 tables taken over" in project.run("import-cursor", "--file", str(path)).stdout


def test_what_cannot_be_found_or_read_is_one_line(project, cursor, tmp_path):
    path = tmp_path / "cursor.json"
    path.write_text("nonsense")
    result = project.run("import-cursor", "--file", str(path))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "no cursor" in result.stderr
    assert "not both" in project.run("import-cursor", "--file", str(path), "--variable", "x").stderr


@pytest.mark.skipif(find_spec("airflow") is None, reason="Airflow is not installed")
@pytest.mark.parametrize("debug", [False, True])
def test_an_airflow_whose_database_was_not_made_is_one_line(project, cursor, tmp_path, debug):
    home = tmp_path / "airflow"
    environ = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}.db"}
    command = [sys.executable, "-m", "profilemesh_airflow", "import-cursor", *(["--debug"] if debug else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert told[-1].startswith("error: Airflow gives no Variable 'profilemesh_plan_cursor': ")
    assert len(told) == 1 or debug
    assert ("no such table: variable" in done.stderr) == debug
