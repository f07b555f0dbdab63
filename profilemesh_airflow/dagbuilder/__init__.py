"""DAGs from a configuration: the refresh, and one profiling DAG a table."""

from __future__ import annotations

from profilemesh_airflow.dagbuilder.profiling import build_profiling_dags
from profilemesh_airflow.dagbuilder.refresh import build_plan_refresh_dag

__all__ = ["build_plan_refresh_dag", "build_profiling_dags"]
