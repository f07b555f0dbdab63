"""The plan refresh: finds the tables that changed, and rings for them."""

from __future__ import annotations

import os
from pathlib import Path

from profilemesh_airflow import build_plan_refresh_dag

dag = build_plan_refresh_dag(os.environ.get("PROFILEMESH_CONFIG", Path(__file__).with_name("config.yml")))
