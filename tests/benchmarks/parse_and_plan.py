"""What parsing a DAG file and planning cost, beside the least they could.

``python -m tests.benchmarks.parse_and_plan`` from the root of the repository, on a quiet machine.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TABLES = 1000
ROUNDS = 5


def main() -> None:
    """Print CPU seconds and ratios of one run."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        config = _write_files(folder)
        _parsing(config)
        _planning(config)


def _write_files(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        for number in range(TABLES):
            connection.execute(f"CREATE TABLE table_{number} (id INTEGER PRIMARY KEY, name TEXT, amount REAL)")
    lines = "\n".join(f"    - {{table: table_{number}}}" for number in range(TABLES))
    config = folder / "config.yml"
    config.write_text(f"source: {{type: sqlite, filepath: {folder}/shop.db}}\nprofiling:\n  tables:\n{lines}\n")
    return config


def _parsing(config: Path) -> None:
    from airflow.sdk import DAG, Asset, BaseOperator

    from profilemesh_airflow import build_profiling_dags

    def bare() -> object:
        """As many DAGs with two tasks and three assets, of Airflow's own making and nothing in them."""
        dags = []
        for number in range(TABLES):
            change, profile, drift = (
                Asset(name=f"x://{number}/{kind}", uri=f"x://{number}/{kind}")
                for kind in ("change", "profile", "drift")
            )
            with DAG(f"bare_{number}", schedule=[change]) as dag:
                first = BaseOperator(task_id="profile", outlets=[profile])
                first >> BaseOperator(task_id="drift", outlets=[drift])
            dags.append(dag)
        return dags

    ours, floor = _measure(lambda: build_profiling_dags(config), bare)
    print(f"{TABLES} table DAGs: {ours:.2f} s of CPU, bare DAGs {floor:.2f} s, ratio {ours / floor:.2f}")


def _planning(config: Path) -> None:
    from profilemesh_airflow.config import load_config
    from profilemesh_airflow.usecases.planning import detect
    from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_changes
    from profilemesh_airflow.usecases.workspace import Workspace

    with Workspace(load_config(config)) as workspace:
        profile_tables(workspace, select_changes(workspace), Worker("benchmark"))

    def plan() -> object:
        with Workspace(load_config(config)) as workspace:
            found = detect(workspace)
        assert len(found.diff.unchanged) == TABLES, "the benchmark is about unchanged tables"
        return found

    ours, floor = _measure(plan, lambda: load_config(config))
    print(f"plan of {TABLES} unchanged tables: {ours:.2f} s of CPU, reading the file alone {floor:.2f} s")


def _measure(*works: Callable[[], object]) -> list[float]:
    """The median CPU seconds of each, taken in turn so that a slower moment of the machine meets all of them."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, seconds in zip(works, spent, strict=True):
            started = time.process_time()
            work()
            seconds.append(time.process_time() - started)
    return [statistics.median(seconds) for seconds in spent]


if __name__ == "__main__":
    main()
