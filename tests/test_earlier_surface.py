"""What users of the earlier integration rely on: its names, and what its own tests said of them, on a real engine."""

from __future__ import annotations

import inspect
from datetime import datetime, timezone
from importlib import import_module

import pytest

import profilemesh_airflow
from profilemesh_airflow.compat.dags import make_dag
from tests.operators.tasks import Context
from tests.project import Project

NAMES = {
    "ProfileMeshHook": ("config_path",),
    "ProfileMeshProfilingOperator": ("config_path", "table_patterns", "emit_xcom"),
    "ProfileMeshTableOperator": ("config_path", "table", "schema", "database"),
    "ProfileMeshPlanSensor": ("config_path", "cursor_variable"),
    "create_profiling_task_group": ("group_id", "config_path", "dag"),
    "emit_profiling_event": ("context", "event_type"),
}
TEMPLATED = {
    "ProfileMeshProfilingOperator": {"config_path"},
    "ProfileMeshTableOperator": {"config_path", "table", "schema", "database"},
    "ProfileMeshPlanSensor": {"config_path"},
}
PLACES = {
    "hooks": ["ProfileMeshHook"],
    "operators": ["ProfileMeshProfilingOperator", "ProfileMeshTableOperator", "create_profiling_task_group"],
    "sensors": ["ProfileMeshPlanSensor"],
    "events": ["emit_profiling_event"],
}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    for table in ("users", "events", "logs"):
        project.sql(f"CREATE TABLE {table} (id INTEGER)", f"INSERT INTO {table} VALUES (1), (2)")
    project.sections["profiling"] = {"metrics": ["count", "null_count"], "compute_histograms": False}
    return project


def configure(project, *tables):
    """As the earlier tests did: each table in a schema."""
    project.configure(*({"schema": "main", "table": table} for table in tables))
    return str(project.config)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_the_parameters_that_it_had(name):
    parameters = inspect.signature(getattr(profilemesh_airflow, name)).parameters
    if not set(NAMES[name]) <= parameters.keys():  # Airflow wraps constructors, and keeps what it wrapped
        parameters = inspect.signature(inspect.unwrap(getattr(profilemesh_airflow, name).__init__)).parameters
    assert set(NAMES[name]) <= parameters.keys()


@pytest.mark.parametrize("name", TEMPLATED)
def test_what_was_templated_is_so_still(name):
    assert set(getattr(profilemesh_airflow, name).template_fields) >= TEMPLATED[name]


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, names in PLACES.items() for name in names])
def test_one_import_is_all_that_changes(place, name):
    """``profilemesh.integrations.airflow`` becomes ``profilemesh_airflow``, with and without a module after it."""
    found = getattr(import_module(f"profilemesh_airflow.{place}"), name)
    assert found is getattr(profilemesh_airflow, name)


def test_the_hook_loads_the_configuration(project):
    config = profilemesh_airflow.ProfileMeshHook(config_path=configure(project, "users")).get_config()
    assert config.environment == "test"
    assert [table.table for table in config.profiling.tables] == ["users"]


def test_the_hook_builds_the_plan(project):
    plan = profilemesh_airflow.ProfileMeshHook(config_path=configure(project, "users", "events")).build_plan()
    assert [entry.key for entry in plan.entries] == ["main.users", "main.events"]
    assert plan.total_tables == 2
    assert len(plan.tables) == 2


def profile_all(path, **arguments):
    context = Context()
    operator = profilemesh_airflow.ProfileMeshProfilingOperator(task_id="all", config_path=path, **arguments)
    return operator.execute(context), context.xcom


def test_the_operator_profiles_and_leaves_its_summary(project):
    summary, xcom = profile_all(configure(project, "users"))
    assert (summary["environment"], summary["tables_profiled"], len(summary["results"])) == ("test", 1, 1)
    assert summary.keys() >= {"run_id", "environment", "tables_profiled", "profiled_at", "results"}
    (result,) = summary["results"]
    assert (result["dataset_name"], result["schema_name"], result["row_count"]) == ("users", "main", 2)
    assert result.keys() >= {"run_id", "profiled_at", "columns_profiled", "metadata"}
    assert xcom["profiling_results"] == summary


def test_the_table_operator_profiles_one_table(project):
    context = Context()
    operator = profilemesh_airflow.ProfileMeshTableOperator(
        task_id="profile_users", config_path=configure(project, "users"), table="users", schema="main"
    )
    result = operator.execute(context)
    assert (result["dataset_name"], result["columns_profiled"]) == ("users", 1)
    assert context.xcom["profiling_result"] == result
    assert [event["event_type"] for event in context.xcom["profilemesh_events"]][-1] == "profiling_completed"


def poke(path):
    context = Context()
    sensor = profilemesh_airflow.ProfileMeshPlanSensor(task_id="plan", config_path=path, poke_interval=60)
    return sensor.poke(context), context.xcom.get("plan_change_metadata")


def test_the_sensor_detects_changes_and_keeps_quiet_without(project):
    path = configure(project, "users")
    found, metadata = poke(path)
    assert (found, metadata["changed_tables"]) == (True, ["main.users"])
    profile_all(path, changed_only=True)
    assert poke(path) == (False, None)

    configure(project, "users", "events")
    found, metadata = poke(path)
    assert (found, metadata["changed_tables"]) == (True, ["main.events"])


def test_a_change_that_was_seen_and_not_profiled_is_not_forgotten(project):
    """The earlier sensor moved its cursor when it had looked; what failed then was lost."""
    path = configure(project, "users")
    poke(path)
    assert profile_all(path, changed_only=True)[0]["tables_profiled"] == 1


def test_a_task_group_has_a_task_for_each_table(project):
    path = configure(project, "users", "events")
    with make_dag("test_dag", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        group = profilemesh_airflow.create_profiling_task_group(group_id="profiling_tasks", config_path=path)
    assert set(group.children) == {"profiling_tasks.users", "profiling_tasks.events"}


def test_no_results_are_an_error(project):
    path = configure(project, "nothing_*")
    with pytest.raises(ValueError, match="no profiling results"):
        profile_all(path)


def test_the_tables_that_are_named_are_profiled_and_no_other(project):
    patterns = [{"schema": "main", "table": "users"}, {"schema": "main", "table": "events"}]
    summary, _ = profile_all(configure(project, "users", "events", "logs"), table_patterns=patterns)
    assert [result["dataset_name"] for result in summary["results"]] == ["users", "events"]
