"""Apache Airflow provider that profiles exactly the warehouse tables that changed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from profilemesh_airflow.dagbuilder import build_plan_refresh_dag, build_profiling_dags
    from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
    from profilemesh_airflow.operators.drift import ProfileMeshDriftOperator
    from profilemesh_airflow.operators.profile import ProfileMeshProfilingOperator, ProfileMeshTableOperator
    from profilemesh_airflow.operators.refresh import (
        ProfileMeshDetectOperator,
        ProfileMeshLineageOperator,
        ProfileMeshRingOperator,
    )

__version__ = "0.1.0"

# Loaded when first asked for: the command line runs without Airflow, whose import alone takes seconds.
_PLACES = {
    "ProfileMeshDetectOperator": "operators.refresh",
    "ProfileMeshDriftOperator": "operators.drift",
    "ProfileMeshHook": "hooks.profilemesh",
    "ProfileMeshLineageOperator": "operators.refresh",
    "ProfileMeshProfilingOperator": "operators.profile",
    "ProfileMeshRingOperator": "operators.refresh",
    "ProfileMeshTableOperator": "operators.profile",
    "build_plan_refresh_dag": "dagbuilder",
    "build_profiling_dags": "dagbuilder",
}

__all__ = [
    "ProfileMeshDetectOperator",
    "ProfileMeshDriftOperator",
    "ProfileMeshHook",
    "ProfileMeshLineageOperator",
    "ProfileMeshProfilingOperator",
    "ProfileMeshRingOperator",
    "ProfileMeshTableOperator",
    "build_plan_refresh_dag",
    "build_profiling_dags",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
