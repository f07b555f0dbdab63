"""Profile every table of the configuration once a day, one after the other, in one task."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from profilemesh_airflow import ProfileMeshProfilingOperator
from profilemesh_airflow.compat.dags import make_dag

CONFIG = os.environ.get("PROFILEMESH_CONFIG", str(Path(__file__).with_name("config.yml")))

# make_dag is Airflow's own DAG, with `schedule` on every version; write DAG(...) where you have only one.
with make_dag(
    "profilemesh_profile_all",
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 1},
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as dag:
    # With changed_only=True it would profile only the tables that changed since they were last profiled.
    ProfileMeshProfilingOperator(task_id="profile_tables", config_path=CONFIG)
