"""What parsing a DAG file and planning cost, beside the least they could.

``python -m tests.benchmarks.parse_and_plan`` from the root of the repository, on a quiet machine.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from tests.benchmarks.ledger_load import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Of the DAG files, and of the plan.
DAGS, TABLES = 1000, 10_000
ROUNDS = 5


def main() -> None:
    """Print CPU seconds and ratios of one run."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        _parsing(_write_config(folder / "dags.yml", f"{{type: sqlite, filepath: {folder}/shop.db}}", DAGS))
        _planning(folder, f"{{type: sqlite, filepath: {folder}/shop.db}}", _fill_sqlite(folder / "shop.db"))
        if "PROFILEMESH_TEST_POSTGRES_URL" in os.environ:
            with _postgres() as source:
                _planning(folder, source, "public")


def _write_config(path: Path, source: str, tables: int, schema: str = "main") -> Path:
    lines = "\n".join(f"    - {{schema: {schema}, table: table_{number}}}" for number in range(tables))
    path.write_text(f"source: {source}\nprofiling:\n  tables:\n{lines}\n")
    return path


def _statements() -> Iterator[str]:
    for number in range(TABLES):
        yield f"CREATE TABLE table_{number} (id INTEGER PRIMARY KEY, name TEXT, amount REAL)"


def _fill_sqlite(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in _statements():
            connection.execute(statement)
    return "main"


@contextmanager
def _postgres() -> Iterator[str]:
    """A new database with the tables, as ``source``; dropped in the end."""
    url = make_url(os.environ["PROFILEMESH_TEST_POSTGRES_URL"]).set(drivername="postgresql+psycopg2")
    name = f"pm_bench_{uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT", future=True)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        engine = create_engine(url.set(database=name), isolation_level="AUTOCOMMIT", future=True)
        with engine.connect() as connection:
            for statement in _statements():
                connection.exec_driver_sql(statement)
        engine.dispose()
        login = {"host": url.host, "port": url.port, "database": name, "username": url.username}
        yield json.dumps({"type": "postgres", **login, **({"password": url.password} if url.password else {})})
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


def _parsing(config: Path) -> None:
    from airflow.sdk import DAG, Asset, BaseOperator

    from profilemesh_airflow import build_profiling_dags

    def bare() -> object:
        """As many DAGs with two tasks and three assets, of Airflow's own making and nothing in them."""
        dags = []
        for number in range(DAGS):
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
    print(f"{DAGS} table DAGs: {ours:.2f} s of CPU, bare DAGs {floor:.2f} s, ratio {ours / floor:.2f}")


def _planning(folder: Path, source: str, schema: str) -> None:
    from profilemesh_airflow.config import load_config, parse_config
    from profilemesh_airflow.usecases.planning import build_plan, detect
    from profilemesh_airflow.usecases.workspace import Workspace

    config = _write_config(folder / f"{schema}.yml", source, TABLES, schema)
    os.environ["AIRFLOW_HOME"] = str(folder / schema)
    (folder / schema).mkdir()
    text, loaded = config.read_text(), load_config(config)
    with Workspace(loaded) as workspace:
        workspace.store.ensure()
        settle(workspace.storage_settings, build_plan(workspace).by_key, workspace.identity)

    def plan() -> object:
        with Workspace(loaded) as workspace:
            found = detect(workspace)
        assert len(found.diff.unchanged) == TABLES, "the benchmark is about unchanged tables"
        return found

    anew, again, ours = _measure(lambda: parse_config(text, config), lambda: load_config(config), plan)
    print(f"{TABLES} tables listed in {len(text):,} bytes: {anew:.2f} s of CPU, unchanged content {again:.3f} s")
    print(f"plan of {TABLES} unchanged tables ({loaded.model.source.type}): {ours:.2f} s of CPU")


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
