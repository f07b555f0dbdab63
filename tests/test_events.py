"""Events in Airflow's tasks: what goes into XCom, and what users' own tasks tell."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from profilemesh_airflow import emit_profiling_event
from profilemesh_airflow.events import functions_of, origin_of


class Instance(SimpleNamespace):
    """A task instance that keeps what is pushed, and refuses to be read: XCom is written, never read back."""

    def __init__(self, map_index=-1):
        super().__init__(dag_id="dag", run_id="run", task_id="task", map_index=map_index, xcom={}, pushes=0)

    def xcom_push(self, key, value):
        self.xcom[key] = json.loads(json.dumps(value))
        self.pushes += 1


def context(**more):
    return {"ti": Instance(), "logical_date": datetime(2026, 3, 1, tzinfo=timezone.utc), **more}


def test_an_event_of_a_users_task_has_the_keys_that_it_always_had():
    task = context()
    emit_profiling_event(task, "profiling_started", table="orders", tables_count=3)
    (event,) = task["ti"].xcom["profilemesh_events"]
    assert {
        key: event[key] for key in ("event_type", "task_id", "dag_id", "execution_date", "table", "tables_count")
    } == {
        "event_type": "profiling_started",
        "task_id": "task",
        "dag_id": "dag",
        "execution_date": "2026-03-01T00:00:00+00:00",
        "table": "orders",
        "tables_count": 3,
    }


def test_a_run_without_a_logical_date_has_none_there():
    task = context(logical_date=None)
    emit_profiling_event(task, "profiling_completed")
    assert task["ti"].xcom["profilemesh_events"][0]["execution_date"] is None


def test_the_events_of_a_task_are_added_and_nothing_is_read_from_xcom():
    task = context()
    for number in range(3):
        emit_profiling_event(task, "mine", number=number)
    assert [event["number"] for event in task["ti"].xcom["profilemesh_events"]] == [0, 1, 2]


def test_mapped_tasks_do_not_see_each_others_events():
    first, second = context(ti=Instance(0)), context(ti=Instance(1))
    for task in (first, second, first):
        emit_profiling_event(task, "mine")
    assert [len(task["ti"].xcom["profilemesh_events"]) for task in (first, second)] == [2, 1]
    assert second["ti"].xcom["profilemesh_events"][0]["map_index"] == 1


def test_an_event_is_logged_as_a_line_that_a_machine_can_read(caplog):
    with caplog.at_level(logging.INFO):
        emit_profiling_event(context(), "mine", at=datetime(2026, 1, 1, tzinfo=timezone.utc), table_key="orders")
    (record,) = (each for each in caplog.records if each.name == "profilemesh_airflow.events")
    document = json.loads(record.getMessage().removeprefix("event mine "))
    assert (document["at"], document["table_key"]) == ("2026-01-01T00:00:00+00:00", "orders")


def test_xcom_holds_so_many_events_and_counts_the_others():
    task = context()
    for _ in range(103):
        emit_profiling_event(task, "mine")
    assert len(task["ti"].xcom["profilemesh_events"]) == 100
    assert task["ti"].xcom["profilemesh_events_omitted"] == 3


def test_xcom_holds_so_many_bytes_of_events():
    task = context()
    for _ in range(10):
        emit_profiling_event(task, "mine", text="x" * 10_000)
    xcom = task["ti"].xcom
    assert (len(xcom["profilemesh_events"]), xcom["profilemesh_events_omitted"]) == (4, 6)
    assert len(json.dumps(xcom["profilemesh_events"])) < 48_000


def test_where_there_is_no_task_the_event_is_only_logged(caplog):
    with caplog.at_level(logging.INFO):
        emit_profiling_event({"dag_run": SimpleNamespace(dag_id="dag", run_id="run")}, "mine")
    assert '"dag_id":"dag"' in caplog.text


def test_an_older_instance_that_knows_no_map_index_will_do():
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t")
    assert origin_of({"ti": ti}).map_index is None


@pytest.mark.parametrize(
    ("given", "functions"), [(None, ()), ("a:b", ["a:b"]), (len, [len]), (["a:b", len], ["a:b", len])]
)
def test_callbacks_may_be_given_alone_or_as_a_list(given, functions):
    assert functions_of(given) == functions
