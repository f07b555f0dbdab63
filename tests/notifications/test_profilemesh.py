"""The notifier: a task's or a DAG run's end, told to the hooks of a configuration."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from profilemesh_airflow import ProfileMeshNotifier
from profilemesh_airflow.compat.capabilities import NOTIFIERS
from profilemesh_airflow.exceptions import ConfigError
from tests.project import Project

TASK = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1)


@pytest.fixture
def shop(tmp_path):
    project = Project(tmp_path)
    project.configure("orders", hooks={"hooks": [{"type": "sql"}]})
    return project


def told(shop):
    with closing(sqlite3.connect(shop.store)) as connection:
        return [json.loads(payload) for (payload,) in connection.execute("SELECT payload FROM profilemesh_events")]


def call(shop, context, **arguments):
    """What Airflow does with a callback; it renders templates with the context's DAG."""
    notifier = ProfileMeshNotifier(config_path=str(shop.config), **arguments)
    notifier({"dag": None, "dag_run": SimpleNamespace(dag_id="dag", run_id="run"), **context})


def test_a_task_that_failed_is_told_to_the_hooks_with_its_error(shop):
    call(shop, {"ti": TASK, "exception": TimeoutError("after an hour")})
    (event,) = told(shop)
    assert {key: event[key] for key in ("event_type", "scope", "error", "error_type", "dag_id", "task_id")} == {
        "event_type": "profiling_failed",
        "scope": "task",
        "error": "after an hour",
        "error_type": "TimeoutError",
        "dag_id": "dag",
        "task_id": "task",
    }


def test_of_a_dag_run_the_last_task_is_not_blamed(shop):
    call(shop, {"ti": TASK, "reason": "task_failure"})
    (event,) = told(shop)
    assert (event["scope"], event["reason"], event["dag_run_id"]) == ("dag_run", "task_failure", "run")
    assert (event["task_id"], event.get("error")) == (None, None)


@pytest.mark.skipif(not NOTIFIERS.available, reason="before Airflow 2.6 nobody renders a callback's templates")
def test_success_can_be_told_and_a_message_is_rendered(shop):
    call(shop, {"ti": TASK}, event_type="profiling_completed", message="{{ dag_run.run_id }} is done")
    (event,) = told(shop)
    assert (event["event_type"], event["message"]) == ("profiling_completed", "run is done")


def test_a_secret_in_the_error_is_not_told(shop):
    source = {"name": "shop", "type": "postgres", "host": "h", "database": "d", "password": "pa55word"}
    shop.configure("orders", source=source)
    call(shop, {"ti": TASK, "exception": RuntimeError("no login with pa55word")})
    assert told(shop)[0]["error"] == "no login with ***"


def test_an_event_that_does_not_exist_is_refused_when_the_file_is_parsed():
    with pytest.raises(ConfigError, match="event_type 'done' is not allowed; use one of plan_refreshed"):
        ProfileMeshNotifier(config_path="nowhere.yml", event_type="done")
