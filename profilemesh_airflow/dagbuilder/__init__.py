"""DAGs from a configuration: the refresh, one profiling DAG a table, or one that polls."""

from __future__ import annotations

from profilemesh_airflow.dagbuilder.consume import profilemesh_asset
from profilemesh_airflow.dagbuilder.everything import build_profilemesh_dags
from profilemesh_airflow.dagbuilder.polling import build_polling_dag
from profilemesh_airflow.dagbuilder.profiling import build_profiling_dags
from profilemesh_airflow.dagbuilder.refresh import build_plan_refresh_dag
from profilemesh_airflow.dagbuilder.task_group import create_profiling_task_group

__all__ = [
    "build_plan_refresh_dag",
    "build_polling_dag",
    "build_profilemesh_dags",
    "build_profiling_dags",
    "create_profiling_task_group",
    "profilemesh_asset",
]
