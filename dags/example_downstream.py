"""React to a profile, and to drift: DAGs that are scheduled on a table's assets (Airflow 2.4 and later).

The events come from the profiling DAGs of the plan refresh, and from every task that has the asset as its outlet.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from profilemesh_airflow import profilemesh_asset
from profilemesh_airflow.compat.airflow import task  # on Airflow 3: from airflow.sdk import task
from profilemesh_airflow.compat.assets import triggering_events
from profilemesh_airflow.compat.dags import make_dag

CONFIG = os.environ.get("PROFILEMESH_CONFIG", str(Path(__file__).with_name("config.yml")))

# The asset's URI is profilemesh://<environment>/<source>/profile/<table>: you may as well write Asset("profilemesh://...").
PROFILED = profilemesh_asset(CONFIG, "orders", "profile")
DRIFTED = profilemesh_asset(CONFIG, "orders", "drift")


@task
def tell(**context) -> list[str]:
    """From 2.10 on an event carries the summary of the profile, or the drift report."""
    events = [event for found in triggering_events(context).values() for event in found]
    for event in events:
        print(getattr(event, "extra", None))
    return [str(event.timestamp) for event in events]


with make_dag(
    "profilemesh_report_on_profile",
    schedule=[PROFILED],
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as report:
    tell()

with make_dag(
    "profilemesh_alert_on_drift",
    schedule=[DRIFTED],
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["profilemesh", "example"],
    doc_md=__doc__,
) as alert:
    tell()
