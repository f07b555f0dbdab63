"""The command line: the use cases without Airflow.

Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

from profilemesh_airflow.cli.doctor import doctor
from profilemesh_airflow.cli.drift import drift
from profilemesh_airflow.cli.explain import explain
from profilemesh_airflow.cli.import_cursor import import_cursor
from profilemesh_airflow.cli.plan import diff, plan
from profilemesh_airflow.cli.profile import profile
from profilemesh_airflow.cli.program import create_program
from profilemesh_airflow.cli.refresh import refresh
from profilemesh_airflow.cli.replay import replay
from profilemesh_airflow.cli.status import results, status
from profilemesh_airflow.cli.store import store
from profilemesh_airflow.cli.watch import watch

__all__ = ["main"]

main = create_program(
    plan, diff, profile, explain, status, results, drift, refresh, watch, replay, doctor, store, import_cursor
)
