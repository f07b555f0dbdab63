from __future__ import annotations

import logging
import sqlite3
from types import SimpleNamespace

import pytest

from profilemesh_airflow.operators.base import ProfileMeshOperator


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A database with two tables, its configuration, and a function that runs SQL in it."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    database = tmp_path / "shop.db"

    def run(script: str) -> None:
        with sqlite3.connect(database) as connection:
            connection.executescript(script)
        connection.close()

    run(
        "CREATE TABLE orders (id INTEGER, amount REAL); INSERT INTO orders VALUES (1, 10.0), (2, 20.0);"
        "CREATE TABLE customers (name TEXT); INSERT INTO customers VALUES ('ann');"
    )
    path = tmp_path / "config.yml"
    path.write_text(
        "environment: test\n"
        f"source: {{name: shop, type: sqlite, filepath: {database}}}\n"
        "profiling: {tables: [{table: orders}, {table: customers}]}\n"
    )
    return SimpleNamespace(config=str(path), run=run)


@pytest.fixture
def told(monkeypatch, caplog):
    """What the operators log, in a logger of which all releases of Airflow keep off: a function that lists messages."""
    logger = logging.getLogger("tests.operators")
    monkeypatch.setattr(ProfileMeshOperator, "log", logger, raising=False)
    caplog.set_level(logging.INFO, logger.name)
    return lambda: [record.getMessage() for record in caplog.records if record.name == logger.name]
