"""Wait for a table to change, and profile just what changed.

The whole job on an Airflow without Datasets (before 2.4); from 2.4 on the plan refresh and a DAG a table do it faster.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from profilemesh_airflow import ProfileMeshPlanSensor, ProfileMeshProfilingOperator
from profilemesh_airflow.compat.dags import make_dag

CONFIG = os.environ.get("PROFILEMESH_CONFIG", str(Path(__file__).with_name("config.yml")))

with make_dag(
    "profilemesh_plan_monitor",
    schedule="@hourly",
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as dag:
    # Waits in the triggerer. Nothing changed within the hour: the run is skipped, and the next one waits on.
    detect = ProfileMeshPlanSensor(
        task_id="detect_plan_changes", config_path=CONFIG, poke_interval=300, timeout=timedelta(minutes=55)
    )

    # What is profiled is what the ledger holds, and not what the sensor said: a table that fails stays in the ledger.
    profile = ProfileMeshProfilingOperator(task_id="profile_changed", config_path=CONFIG, changed_only=True)

    detect >> profile
