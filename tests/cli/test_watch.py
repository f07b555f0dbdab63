"""The process that starts a refresh after each edit: signals, an Airflow that is away, and one that refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.ask import REFRESH_DAG
from profilemesh_airflow.usecases.edits import remember_refreshed
from profilemesh_airflow.usecases.workspace import Workspace
from tests.stub_airflow import TOKEN, StubAirflow

PATIENCE = 120


@pytest.fixture
def airflow():
    with StubAirflow(release=2) as stub:
        stub.add_dag(REFRESH_DAG, is_paused=False)
        yield stub


class Watch:
    """A running process, and what it told."""

    def __init__(self, process):
        self.process = process
        self.told = []

    def until(self, event):
        """Read what it tells until there is such an event."""
        for line in iter(self.process.stderr.readline, ""):
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == event:
                return self.told[-1]
        raise AssertionError(f"it ended without {event}: {self.told}")

    def end(self, number):
        self.process.send_signal(number)
        last = self.until("stopped")
        return self.process.wait(PATIENCE), last["signal"]


@contextmanager
def watching(shop, airflow, token=TOKEN):
    command = [sys.executable, "-m", "profilemesh_airflow", "watch", "--airflow", airflow.url, "--format", "json"]
    env = {"PROFILEMESH_AIRFLOW_TOKEN": token, "PROFILEMESH_CONFIG": str(shop.config), "HOME": str(shop.folder)}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, "-c", str(shop.config)], env=env, **pipes)
    try:
        yield Watch(process)
    finally:
        process.kill()
        process.communicate()


def refreshed(shop):
    """As if the last refresh had used what is there."""
    with Workspace(load_config(shop.config)) as workspace:
        remember_refreshed(workspace)


def edit(shop, text):
    shop.config.write_text(f"{shop.config.read_text()}# {text}\n")


def test_it_starts_a_refresh_after_each_edit_and_ends_when_it_is_told_to(shop, airflow):
    refreshed(shop)
    with watching(shop, airflow) as watch:
        assert watch.until("watching")["dag_id"] == REFRESH_DAG
        edit(shop, "one")
        assert watch.until("refresh_started")["run_id"] == "manual__1"
        edit(shop, "two")
        watch.until("refresh_started")
        assert watch.end(signal.SIGTERM) == (0, "SIGTERM")
        assert TOKEN not in json.dumps(watch.told)
    assert [body["conf"]["reason"] for body in airflow.started] == ["the configuration was edited"] * 2


def test_what_was_edited_while_it_did_not_run_is_not_missed_and_ctrl_c_is_130(shop, airflow):
    refreshed(shop)
    edit(shop, "while it was away")
    with watching(shop, airflow) as watch:
        watch.until("refresh_started")
        assert watch.end(signal.SIGINT) == (130, "SIGINT")


def test_an_airflow_that_is_away_is_asked_again_until_it_answers(shop, airflow):
    path = f"/api/v1/dags/{REFRESH_DAG}"
    airflow.canned[path] = (503, {}, b"{}")
    with watching(shop, airflow) as watch:
        assert "503" in watch.until("airflow_away")["why"]
        del airflow.canned[path]
        watch.until("refresh_started")
        assert watch.end(signal.SIGTERM) == (0, "SIGTERM")
    assert len(airflow.started) == 1


def test_one_that_refuses_ends_it_with_its_message(shop, airflow):
    with watching(shop, airflow, token="no-such-token") as watch:
        deadline = time.monotonic() + PATIENCE
        while watch.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert watch.process.returncode == 1
        lines = watch.process.stderr.read().splitlines()
    assert lines[-1].startswith("error: GET ")
    assert "401" in lines[-1]
    assert "no-such-token" not in "\n".join(lines)
