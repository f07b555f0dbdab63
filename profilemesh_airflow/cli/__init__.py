"""The command line: the use cases without Airflow.

Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

from profilemesh_airflow.cli.doctor import doctor
from profilemesh_airflow.cli.plan import diff, plan
from profilemesh_airflow.cli.profile import profile
from profilemesh_airflow.cli.program import create_program
from profilemesh_airflow.cli.replay import replay
from profilemesh_airflow.cli.status import results, status
from profilemesh_airflow.cli.store import store

__all__ = ["main"]

main = create_program(plan, diff, profile, status, results, replay, doctor, store)
