from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo import data, run
from profilemesh_airflow.config import load_config

ROOT = Path(__file__).parents[2]


def test_the_demo_writes_a_configuration_without_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CONFIG", tmp_path / "config.yml")
    run._write_config({run.RESTYLED: {"metrics": run.FEWER_METRICS}})
    loaded = load_config(tmp_path / "config.yml")
    assert list(loaded.warnings) == []
    tables = {table.table: table.metrics for table in loaded.model.profiling.tables}
    assert set(tables) == set(data.TABLES)
    assert {table for table, metrics in tables.items() if metrics is not None} == {run.RESTYLED}
    assert list(tables[run.RESTYLED] or ()) == run.FEWER_METRICS


def test_what_the_demo_changes_is_there_to_be_changed() -> None:
    assert {run.GROWING, run.RESTYLED} <= set(data.TABLES)
    assert run.GROWING != run.RESTYLED
    assert "PRIMARY KEY" not in " ".join(data.TABLES[run.GROWING].values()), "copies of rows would be refused"
    assert set(run.SHOWN_COLUMNS) <= set(data.TABLES[run.GROWING])


@pytest.mark.parametrize("name", run.DAG_FILES)
def test_the_example_dags_that_the_demo_copies_exist(name: str) -> None:
    assert (ROOT / "dags" / name).is_file()


def test_stop_without_a_demo_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(run, "_end_tidily", lambda: None)
    assert run.main(["--stop"]) == 0
    assert capsys.readouterr().out == "no demo is running\n"


def find_python(*arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(ROOT / "requirements" / "find-python"), *arguments]
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)


def test_the_python_that_was_named_is_taken() -> None:
    assert find_python(sys.executable, path=os.defpath).stdout.strip() == sys.executable


@pytest.mark.parametrize("arguments", [("/nowhere/python3",), ()])
def test_without_a_fitting_python_one_message_says_what_to_do(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = find_python(*arguments, path=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Python >= 3.10" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_a_later_python_is_found_where_the_first_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    fitting = tmp_path / "python3.11"
    fitting.write_text("#!/bin/sh\nexit 0\n")
    for program in (old, fitting):
        program.chmod(0o755)
    assert find_python(path=str(tmp_path)).stdout == "python3.11\n"
