"""Publish a table only when its profile has not drifted: a circuit breaker between profile and publication."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from profilemesh_airflow import ProfileMeshDriftOperator, ProfileMeshTableOperator
from profilemesh_airflow.compat.airflow import task  # on Airflow 3: from airflow.sdk import task
from profilemesh_airflow.compat.dags import make_dag

CONFIG = os.environ.get("PROFILEMESH_CONFIG", str(Path(__file__).with_name("config.yml")))

with make_dag(
    "profilemesh_publish_orders",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as dag:
    profile = ProfileMeshTableOperator(task_id="profile", config_path=CONFIG, table="orders")

    # Fails, and is not tried again, when the table drifted severely. A table that cannot be judged, as before its
    # second profile, may pass here; fail_open has no default, since only you know which is worse.
    breaker = ProfileMeshDriftOperator(
        task_id="circuit_breaker", config_path=CONFIG, table="orders", fail_on_severity="high", fail_open=True
    )

    @task
    def publish() -> str:
        """What must not happen with bad data."""
        return "published"

    profile >> breaker >> publish()
