"""One profiling DAG for each table of the plan, started by the table's own asset."""

from __future__ import annotations

import os
from pathlib import Path

from profilemesh_airflow import build_profiling_dags

globals().update(build_profiling_dags(os.environ.get("PROFILEMESH_CONFIG", Path(__file__).with_name("config.yml"))))
