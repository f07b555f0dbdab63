"""Profile every table in a task of its own, as many at a time as the pool has slots, and sum up what came of it."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from profilemesh_airflow import create_profiling_task_group
from profilemesh_airflow.compat.airflow import task  # on Airflow 3: from airflow.sdk import task
from profilemesh_airflow.compat.dags import make_dag

CONFIG = os.environ.get("PROFILEMESH_CONFIG", str(Path(__file__).with_name("config.yml")))

with make_dag(
    "profilemesh_profile_parallel",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as dag:
    profile = create_profiling_task_group("profile_tables", CONFIG, exclude=["items"], operator_args={"retries": 1})

    @task
    def sum_up(ti=None) -> int:
        """Each task leaves its summary in XCom, under profiling_result."""
        results = ti.xcom_pull(task_ids=sorted(profile.children), key="profiling_result")
        return sum(result["row_count"] for result in results if result)

    profile >> sum_up()
