"""Operators, sensor, trigger and notifier find their configuration through a ``profilemesh`` connection, too."""

from __future__ import annotations

import asyncio
import inspect
import time
from datetime import datetime, timezone

import pytest

import profilemesh_airflow
from profilemesh_airflow import (
    ProfileMeshNotifier,
    ProfileMeshPlanSensor,
    ProfileMeshProfilingOperator,
    ProfileMeshTableOperator,
)
from profilemesh_airflow.compat.dags import make_dag
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.triggers.plan import ProfileMeshPlanTrigger
from tests.operators.tasks import Context

TASKS = ("Operator", "Sensor", "Notifier")


def test_the_configuration_is_the_connections(shop, add_connection):
    add_connection(extra={"config_path": shop.config})
    operator = ProfileMeshTableOperator(task_id="profile", profilemesh_conn_id="pm", table="orders")
    assert operator.execute(Context())["row_count"] == 2


def test_without_anything_it_is_that_of_the_default_connection(shop, add_connection):
    add_connection("profilemesh_default", extra={"config_path": shop.config})
    assert ProfileMeshProfilingOperator(task_id="all").execute(Context())["tables_profiled"] == 2
    assert ProfileMeshPlanSensor(task_id="watch").poke(Context()) is False


def test_a_connection_that_is_not_there_is_an_error_that_says_how_to_add_it(shop):
    operator = ProfileMeshTableOperator(task_id="profile", profilemesh_conn_id="pm_nowhere", table="orders")
    with pytest.raises(ConfigError, match="no connection 'pm_nowhere'; add it with `airflow connections add`"):
        operator.execute(Context())


def test_the_trigger_looks_through_the_connection_and_takes_its_id_along(shop, add_connection):
    add_connection(extra={"config_path": shop.config})
    _, arguments = ProfileMeshPlanTrigger(None, 1, time.time() + 60, 0, "pm").serialize()

    async def first():
        return (await ProfileMeshPlanTrigger(**arguments).run().__anext__()).payload["status"]

    assert asyncio.run(first()) == "changed"


def test_the_notifier_reads_the_configuration_of_the_connection(shop, add_connection):
    add_connection(extra={"config_path": shop.config})
    ProfileMeshNotifier(profilemesh_conn_id="pm").notify(Context())


def test_default_args_of_a_dag_may_name_it():
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    with make_dag("d", schedule=None, start_date=start, default_args={"profilemesh_conn_id": "pm"}):
        operator = ProfileMeshTableOperator(task_id="profile", table="orders")
    assert operator.profilemesh_conn_id == "pm"


@pytest.mark.parametrize("name", [name for name in profilemesh_airflow.__all__ if name.endswith(TASKS)])
def test_everything_that_takes_a_configuration_takes_a_connection_both_templated(name):
    kind = getattr(profilemesh_airflow, name)
    taken = inspect.signature(kind.__init__).parameters
    if "config_path" in taken:
        assert "profilemesh_conn_id" in taken
        assert {"config_path", "profilemesh_conn_id"} <= set(kind.template_fields)
