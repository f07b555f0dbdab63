"""The hook, as tasks of a user's own call it."""

from __future__ import annotations

import json
import sqlite3

import pytest
from sqlalchemy import text

from profilemesh_airflow import ProfileMeshHook
from profilemesh_airflow.exceptions import ConfigError


@pytest.fixture
def config(tmp_path, monkeypatch):
    database = tmp_path / "shop.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "sqlite", "host": str(database)}))
    path = tmp_path / "config.yml"
    path.write_text("source: {conn_id: shop}\nprofiling: {tabels: [], tables: [{table: orders}]}\n")
    return str(path)


def test_the_hook_gives_the_configuration_three_ways(config):
    hook = ProfileMeshHook(config)
    assert hook.config is hook.get_config() is hook.get_conn()
    assert hook.config.source_name == "shop"


def test_the_hook_plans_through_an_airflow_connection(config):
    (entry,) = ProfileMeshHook(config).build_plan().entries
    assert entry.key == "orders"
    assert entry.schema_document == {"id": "INTEGER"}


def test_the_hooks_engine_reads_the_profiled_database_and_cannot_write_to_it(config):
    engine = ProfileMeshHook(config).get_engine()
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM orders")).scalar_one() == 0
            with pytest.raises(Exception, match="readonly"):
                connection.execute(text("INSERT INTO orders VALUES (1)"))
    finally:
        engine.dispose()


def test_warnings_of_the_configuration_are_kept(config):
    hook = ProfileMeshHook(config)
    assert hook.config.profiling.tables
    assert any("tabels" in message and "tables" in message for message in hook.loaded.warnings)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yml"):
        ProfileMeshHook(str(tmp_path / "nowhere.yml")).get_config()
