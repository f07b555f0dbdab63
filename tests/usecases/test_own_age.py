"""A table with a `profile_after` of its own, whose data version is unknown."""

from __future__ import annotations

from datetime import timedelta

from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_open
from profilemesh_airflow.usecases.refresh import record
from profilemesh_airflow.usecases.workspace import Workspace
from tests.clock import change_clock
from tests.project import Project


def test_it_is_rung_for_at_that_age_and_not_at_that_of_all_others(tmp_path, monkeypatch):
    """The general age took the change for answered, and nothing was recorded before that, too, was over."""
    project = Project(tmp_path)
    project.fill()
    project.sql("CREATE VIEW orders_view AS SELECT * FROM orders")
    project.configure({"table": "orders_view", "profile_after": "1h"})
    with Workspace(load_config(project.config)) as workspace:
        profile_tables(workspace, select_open(workspace), Worker("w"))
        assert record(workspace, detect(workspace)) == []
    change_clock(monkeypatch, lambda now: now + timedelta(hours=2))
    with Workspace(load_config(project.config)) as workspace:
        (entry,) = record(workspace, detect(workspace))
    assert [reason.kind for reason in entry.reasons] == ["stale"]
