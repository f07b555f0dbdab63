"""How long it takes from an edit of the configuration until the run of the table that it is about has started.

``python -m tests.benchmarks.edit_to_run`` from the root of the repository, on a quiet machine, with Airflow 3 and
``PROFILEMESH_TEST_POSTGRES_URL``.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from datetime import datetime, timezone
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.any_airflow import open_scene
from tests.project import Project

if TYPE_CHECKING:
    from tests.e2e.any_airflow import Scene

EDITS = 20
TABLES = ("orders", "users", "items")
REFRESH = "profilemesh_plan_refresh"
_EXAMPLES = Path(__file__).parents[2] / "dags"
_STARTS = "SELECT start_date FROM dag_run WHERE dag_id = 'profilemesh_profile.test.shop.orders' ORDER BY id"


def main() -> None:
    """Print the seconds of each edit, and their distribution."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project(folder)
        project.fill()
        dags = {
            file: (_EXAMPLES / file).read_text() for file in ("profilemesh_plan_refresh.py", "profilemesh_tables.py")
        }
        # A loaded machine may lose the very first refresh.
        env = {"AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3", "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1"}
        url = os.environ["PROFILEMESH_TEST_POSTGRES_URL"]
        with open_scene(folder / "home", url, project, dags, env) as scene:
            scene.wait_for_dags({REFRESH, *(f"profilemesh_profile.test.shop.{table}" for table in TABLES)})
            scene.until(lambda: scene.profiled() == dict.fromkeys(TABLES, 1), "every table was profiled")
            scene.settled()
            _report([_edit(scene, metrics) for metrics in islice(cycle((["count"], ["count", "mean"])), EDITS)])


def _edit(scene: Scene, metrics: list[str]) -> float:
    before = len(scene.rows(_STARTS))
    edited = datetime.now(timezone.utc)
    scene.project.configure({"table": "orders", "metrics": metrics}, "users", "items")
    scene.until(lambda: [row for row in scene.rows(_STARTS)[before:] if row[0]], "the run of orders has started")
    seconds = (scene.rows(_STARTS)[before][0] - edited).total_seconds()
    print(f"{seconds:6.2f} s", flush=True)
    scene.settled()
    return float(seconds)


def _report(seconds: list[float]) -> None:
    deciles = statistics.quantiles(seconds, n=10, method="inclusive")
    print(
        f"{len(seconds)} edits: least {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s, "
        f"nine of ten within {deciles[-1]:.2f} s, most {max(seconds):.2f} s; within 5 s: "
        f"{sum(each <= 5 for each in seconds)}"
    )


if __name__ == "__main__":
    main()
