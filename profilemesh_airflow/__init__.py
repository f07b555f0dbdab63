"""Apache Airflow provider that profiles exactly the warehouse tables that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.lazy import loader

if TYPE_CHECKING:
    from profilemesh_airflow.dagbuilder import (
        build_plan_refresh_dag,
        build_polling_dag,
        build_profilemesh_dags,
        build_profiling_dags,
        create_profiling_task_group,
        profilemesh_asset,
    )
    from profilemesh_airflow.events import emit_profiling_event
    from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
    from profilemesh_airflow.notifications.profilemesh import ProfileMeshNotifier
    from profilemesh_airflow.operators.drift import ProfileMeshDriftOperator
    from profilemesh_airflow.operators.plan_summary import ProfileMeshPlanSummaryOperator
    from profilemesh_airflow.operators.profile import ProfileMeshProfilingOperator, ProfileMeshTableOperator
    from profilemesh_airflow.operators.refresh import (
        ProfileMeshDetectOperator,
        ProfileMeshLineageOperator,
        ProfileMeshRingOperator,
    )
    from profilemesh_airflow.operators.select import ProfileMeshSelectOperator
    from profilemesh_airflow.sensors.plan import ProfileMeshPlanSensor

__version__ = "0.1.0"

__all__ = [
    "ProfileMeshDetectOperator",
    "ProfileMeshDriftOperator",
    "ProfileMeshHook",
    "ProfileMeshLineageOperator",
    "ProfileMeshNotifier",
    "ProfileMeshPlanSensor",
    "ProfileMeshPlanSummaryOperator",
    "ProfileMeshProfilingOperator",
    "ProfileMeshRingOperator",
    "ProfileMeshSelectOperator",
    "ProfileMeshTableOperator",
    "build_plan_refresh_dag",
    "build_polling_dag",
    "build_profilemesh_dags",
    "build_profiling_dags",
    "create_profiling_task_group",
    "emit_profiling_event",
    "profilemesh_asset",
]

# The command line runs without Airflow.
__getattr__ = loader(
    __name__,
    {
        "ProfileMeshDetectOperator": "operators.refresh",
        "ProfileMeshDriftOperator": "operators.drift",
        "ProfileMeshHook": "hooks.profilemesh",
        "ProfileMeshLineageOperator": "operators.refresh",
        "ProfileMeshNotifier": "notifications.profilemesh",
        "ProfileMeshPlanSensor": "sensors.plan",
        "ProfileMeshPlanSummaryOperator": "operators.plan_summary",
        "ProfileMeshProfilingOperator": "operators.profile",
        "ProfileMeshRingOperator": "operators.refresh",
        "ProfileMeshSelectOperator": "operators.select",
        "ProfileMeshTableOperator": "operators.profile",
        "build_plan_refresh_dag": "dagbuilder",
        "build_polling_dag": "dagbuilder",
        "build_profilemesh_dags": "dagbuilder",
        "build_profiling_dags": "dagbuilder",
        "create_profiling_task_group": "dagbuilder",
        "emit_profiling_event": "events",
        "profilemesh_asset": "dagbuilder",
    },
)
