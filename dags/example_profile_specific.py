"""Profile the tables that are named, when somebody starts the DAG. What the configuration says of them holds."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from profilemesh_airflow import ProfileMeshProfilingOperator, ProfileMeshTableOperator
from profilemesh_airflow.compat.dags import make_dag

CONFIG = os.environ.get("PROFILEMESH_CONFIG", str(Path(__file__).with_name("config.yml")))

with make_dag(
    "profilemesh_profile_specific",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as dag:
    orders = ProfileMeshTableOperator(task_id="profile_orders", config_path=CONFIG, table="orders")

    # A pattern may have a schema and a database, too: {"schema": "sales", "table": "*"}.
    others = ProfileMeshProfilingOperator(
        task_id="profile_others",
        config_path=CONFIG,
        table_patterns=[{"table": "user*"}, {"table": "items"}],
        on_failure="continue",
    )

    orders >> others
