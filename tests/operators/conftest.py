from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest


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
