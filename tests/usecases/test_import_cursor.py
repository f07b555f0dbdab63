"""An upgrade from the earlier integration: what its sensor remembered is taken over, as far as that can be known."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from profilemesh_airflow.config import load_config
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.import_cursor import import_cursor
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_open
from profilemesh_airflow.usecases.refresh import record
from profilemesh_airflow.usecases.status import table_states
from profilemesh_airflow.usecases.workspace import Workspace
from tests.clock import change_clock
from tests.earlier import AMOUNT, earlier_in
from tests.project import Project

METRICS = ["count", "null_count", "mean"]


@pytest.fixture
def project(tmp_path):
    """Three tables that the earlier integration profiled, and its store."""
    project = Project(tmp_path)
    project.sections["profiling"] = {"metrics": METRICS}
    project.fill()
    earlier = earlier_in(project.store)
    for table in ("orders", "users", "items"):
        earlier.profile(f"run-{table}", table, {("amount", "REAL"): AMOUNT}, schema=None)
    return project


def cursor(*tables, environment="test", drift_strategy="absolute_threshold", **changed):
    """What the earlier sensor wrote: each table as it was, but for what ``changed`` says."""
    entries = {
        table: {
            "name": table.rpartition(".")[2],
            "schema": table.rpartition(".")[0] or None,
            "metrics": METRICS,
            "partition": None,
            "sampling": None,
            "task_suffix": table.replace(".", "_"),
            **changed,
        }
        for table in tables
    }
    payload = {"environment": environment, "drift_strategy": drift_strategy, "tables": entries}
    signature = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    return json.dumps({**payload, "signature": signature}, sort_keys=True)


ALL = ("orders", "users", "items")


def take_over(project, text, **arguments):
    """What was taken over, and why the others were not."""
    with Workspace(load_config(project.config)) as workspace:
        taken, left = import_cursor(workspace, text, **arguments)
    return {each.ref.key: each.run_id for each in taken}, {each.ref.key: each.why for each in left}


def changes(project):
    """What a refresh finds, by table: the kinds and fields of the reasons."""
    with Workspace(load_config(project.config)) as workspace:
        found = detect(workspace)
        record(workspace, found)
        return {change.key: [(each.kind, each.field) for each in change.reasons] for change in found.diff.changes}


def later(monkeypatch, **by):
    change_clock(monkeypatch, lambda now: now + timedelta(**by))


def test_an_upgrade_profiles_nothing_that_did_not_change(project):
    taken, left = take_over(project, cursor(*ALL))
    assert taken == {table: f"run-{table}" for table in ALL}
    assert (left, changes(project)) == ({}, {})


def test_every_change_after_the_upgrade_is_found_at_once(project):
    take_over(project, cursor(*ALL))
    project.sql("INSERT INTO orders VALUES (4, 1.0, 'c')", "ALTER TABLE users ADD COLUMN age INTEGER")
    project.configure("orders", "users", {"table": "items", "metrics": ["count"]})

    assert changes(project) == {
        "orders": [("data", "version")],
        "users": [("schema", "age")],
        "items": [("settings", "metrics")],
    }


def test_what_may_have_changed_before_the_upgrade_is_profiled_when_profile_after_is_over(project, monkeypatch):
    take_over(project, cursor(*ALL))
    later(monkeypatch, hours=23)
    assert changes(project) == {}
    later(monkeypatch, hours=25)
    assert changes(project) == {table: [("stale", "version")] for table in ALL}

    with Workspace(load_config(project.config)) as workspace:
        refs = select_open(workspace)
        assert {ref.key for ref in refs} == set(ALL)
        assert {outcome.profile.row_count for outcome in profile_tables(workspace, refs, Worker("w"))} == {3, 2, 1}
    assert changes(project) == {}
    later(monkeypatch, days=30)
    assert changes(project) == {}, "from its first profile on, a table has an exact baseline"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (cursor("users", "items"), "the cursor does not know it"),
        (cursor(*ALL, metrics=["count"]), "its settings are not what they were"),
        (cursor(*ALL, sampling={"enabled": True, "method": "random", "fraction": 0.5, "max_rows": None}), "settings"),
        (cursor(*ALL, partition={"key": "id", "strategy": "latest"}), "settings"),
        (cursor(*ALL, partition={"key": "id", "strategy": "nonsense"}), "settings"),
        (cursor(*ALL, drift_strategy="standard_deviation"), "settings"),
    ],
)
def test_a_table_that_is_not_what_it_was_is_left_to_be_profiled(project, text, why):
    taken, left = take_over(project, text)
    assert "orders" not in taken
    assert why in left["orders"]
    assert changes(project)["orders"] == [("added", "table")]


def test_the_options_that_a_table_had_are_compared_with_those_that_it_has(project):
    sampling = {"enabled": True, "method": "random", "fraction": 0.5, "max_rows": None}
    project.configure({"table": "orders", "sampling": sampling}, "users")
    taken, left = take_over(project, cursor("orders", sampling=sampling))
    assert (set(taken), set(left)) == ({"orders"}, {"users"})


def test_a_table_that_the_sensor_saw_and_nobody_profiled_is_not_forgotten(project):
    """The earlier sensor moved its cursor before anything was profiled."""
    project.sql("CREATE TABLE late (id INTEGER)")
    project.configure("orders", "late")
    _, left = take_over(project, cursor("orders", "late"))
    assert "never profiled" in left["late"]
    assert changes(project) == {"late": [("added", "table")]}


def test_a_table_that_is_gone_is_left(project):
    project.sql("DROP TABLE orders")
    assert "does not have it" in take_over(project, cursor(*ALL))[1]["orders"]


def test_doing_it_twice_or_too_late_moves_no_baseline(project):
    take_over(project, cursor(*ALL))
    project.sql("INSERT INTO orders VALUES (4, 1.0, 'c')")
    taken, left = take_over(project, cursor(*ALL))
    assert (taken, set(left.values())) == ({}, {"it has a baseline already"})
    assert changes(project) == {"orders": [("data", "version")]}


def test_a_refresh_that_came_first_is_made_good(project):
    assert set(changes(project)) == set(ALL)
    take_over(project, cursor(*ALL))
    assert changes(project) == {}
    with Workspace(load_config(project.config)) as workspace:
        assert workspace.ledger.open_entries() == {}


def test_a_dry_run_says_the_same_and_writes_nothing(project):
    assert set(take_over(project, cursor(*ALL), dry_run=True)[0]) == set(ALL)
    assert set(changes(project)) == set(ALL)


def test_the_status_does_not_claim_a_profile_of_its_own(project):
    take_over(project, cursor(*ALL))
    with Workspace(load_config(project.config)) as workspace:
        states = {(status.state, status.last_profiled_at, status.last_run_id) for status in table_states(workspace)}
    assert states == {("current", None, None)}


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"environment": "test", "tables": []}', "null"])
def test_what_is_no_cursor_is_refused(project, text):
    with pytest.raises(ConfigError, match="no cursor of the earlier integration"):
        take_over(project, text)


def test_the_cursor_of_another_environment_is_refused(project):
    with pytest.raises(ConfigError, match="environment 'production', and the configuration of 'test'"):
        take_over(project, cursor(*ALL, environment="production"))


def test_names_in_the_cursor_have_a_schema_where_the_configuration_gives_one(project):
    earlier = earlier_in(project.folder / "other.db")
    earlier.profile("run-1", "orders", {("amount", "REAL"): AMOUNT}, schema="main")
    project.configure(
        {"schema": "main", "table": "orders"},
        storage={"connection": {"type": "sqlite", "filepath": str(project.folder / "other.db")}},
    )
    assert take_over(project, cursor("main.orders"))[0] == {"main.orders": "run-1"}
