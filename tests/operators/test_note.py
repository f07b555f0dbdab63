"""The note on a DAG run that says why a table was profiled."""

from __future__ import annotations

import logging
from pathlib import Path

from profilemesh_airflow.compat.capabilities import TASK_SDK
from profilemesh_airflow.operators import profile as module
from tests.capable import needs
from tests.operators.tasks import Context, profile
from tests.stub_airflow import StubAirflow

RUN = "/api/v2/dags/dag/dagRuns/run"
SECRET = "s3cret-word"


def said(caplog):
    return [record.getMessage() for record in caplog.records if "note" in record.getMessage()]


def test_a_note_says_why_what_came_of_it_and_what_was_asked_for(shop, monkeypatch):
    notes = []
    monkeypatch.setattr(module, "note_run", lambda _context, _hook, text: notes.append(text))
    text = Path(shop.config).read_text()
    options = "{table: orders, metrics: [count], sampling: {enabled: true, fraction: 0.5}}"
    Path(shop.config).write_text(text.replace("{table: orders}", options))
    run_id = profile(shop, "orders")["run_id"]

    (note,) = notes
    assert note.startswith("orders was profiled because of added; forced: task dag/profile. Rows: ")
    assert f"columns: 2; run {run_id}. Asked for: 1 metrics, sampling: " in note
    assert note.endswith("drift_strategy: absolute_threshold.")


def test_a_note_that_cannot_be_written_fails_nothing(shop):
    """Here is no database of Airflow's that knows the run."""
    assert profile(shop, "orders", Context())["row_count"] == 2


@needs(TASK_SDK)
def test_with_a_connection_to_airflow_the_note_is_on_the_run(shop, add_connection):
    with StubAirflow() as airflow:
        airflow.notes[RUN] = None
        add_connection(host=airflow.url, login="admin", password="right")
        profile(shop, "orders", profilemesh_conn_id="pm")
    assert airflow.notes[RUN].startswith("orders was profiled because of added; forced: task dag/profile. Rows: 2")


@needs(TASK_SDK)
def test_without_one_the_log_says_what_a_note_takes(shop, caplog):
    caplog.set_level(logging.INFO)
    profile(shop, "orders")
    (line,) = said(caplog)
    assert "give the task a profilemesh_conn_id whose connection has the address and a login" in line


@needs(TASK_SDK)
def test_a_login_that_may_not_is_told_without_its_secret_and_fails_nothing(shop, add_connection, caplog):
    caplog.set_level(logging.INFO)
    with StubAirflow() as airflow:
        add_connection(host=airflow.url, login="admin", password=SECRET)
        assert profile(shop, "orders", profilemesh_conn_id="pm")["row_count"] == 2
    (line,) = said(caplog)
    assert "401; check user name and password" in line
    assert SECRET not in line
