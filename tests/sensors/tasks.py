"""The sensor as a task."""

from __future__ import annotations

from profilemesh_airflow import ProfileMeshPlanSensor
from tests.operators.tasks import Context


def sensor(shop, **arguments):
    return ProfileMeshPlanSensor(task_id="watch", config_path=shop.config, **arguments)


def look(shop, **arguments):
    """What one look of a sensor tells, or none where it stays quiet."""
    context = Context()
    found = sensor(shop, **arguments).poke(context)
    metadata = context.xcom.get("plan_change_metadata")
    assert found is (metadata is not None)
    return metadata
