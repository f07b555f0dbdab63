"""Making and checking the store's tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import profilemesh_airflow.store
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store import Store, TableNames
from profilemesh_airflow.store.engine import BEGIN_MODE, make_engine
from profilemesh_airflow.store.schema import HEAD, VERSION_TABLE, make_tables

IDENTITY = Identity("test", "warehouse")
LEGACY = (
    "CREATE TABLE profilemesh_runs (run_id VARCHAR(36) PRIMARY KEY, dataset_name VARCHAR(255),"
    " schema_name VARCHAR(255), profiled_at TIMESTAMP, environment VARCHAR(50), status VARCHAR(20),"
    " row_count INTEGER, column_count INTEGER)",
    "CREATE TABLE profilemesh_results (id INTEGER PRIMARY KEY, run_id VARCHAR(36), dataset_name VARCHAR(255),"
    " schema_name VARCHAR(255), column_name VARCHAR(255), column_type VARCHAR(100), metric_name VARCHAR(100),"
    " metric_value TEXT, profiled_at TIMESTAMP)",
    "INSERT INTO profilemesh_runs VALUES ('old', 'orders', 'sales', '2024-01-01 00:00:00', 'test', 'completed', 7, 1)",
    "INSERT INTO profilemesh_results VALUES (1, 'old', 'orders', 'sales', 'id', 'INTEGER', 'count', '7',"
    " '2024-01-01 00:00:00')",
)


@pytest.fixture(params=["sqlite_settings", "postgres_database", "mysql_database"])
def settings(request):
    """Where a store is going to be: the database is empty, the file not even there."""
    return request.getfixturevalue(request.param)


def test_the_newest_migration_is_the_one_that_the_code_expects():
    folder = Path(profilemesh_airflow.store.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]


def test_a_store_is_made_from_scratch_and_again_nothing_happens(settings):
    with Store(settings) as store:
        assert store.version() == (None, HEAD)
        assert store.upgrade() == (None, HEAD)
        assert store.upgrade() == (HEAD, HEAD)
        assert store.version() == (HEAD, HEAD)
    with Store(settings, create_tables=False) as store:
        store.ensure()


def test_the_migrations_make_what_the_code_describes(settings, sql):
    with Store(settings) as store:
        store.upgrade()
    with sql.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, make_tables(TableNames()).metadata) == []


def test_a_newer_schema_is_refused(settings, sql):
    with Store(settings) as store:
        store.upgrade()
    sql.run(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with Store(settings) as store:
        assert store.version() == ("9999", HEAD)
        for refused in (store.ensure, store.upgrade, lambda: store.peek(IDENTITY)):
            with pytest.raises(StoreError, match="at schema 9999, which is newer than this release"):
                refused()


def test_nothing_is_created_where_that_is_not_allowed(settings):
    with Store(settings, create_tables=False) as store:
        with pytest.raises(StoreError, match="run `profilemesh-airflow store upgrade`"):
            store.ensure()
        with pytest.raises(StoreError, match="create_tables is false"):
            store.ledger(IDENTITY, Policy())
        assert store.version() == (None, HEAD)


def test_peeking_at_a_store_that_is_not_there_makes_none(settings):
    with Store(settings) as store:
        view = store.peek(IDENTITY)
        assert (view.baselines, view.entries) == ({}, {})
        assert view.now.tzinfo is not None
        assert store.version() == (None, HEAD)
    assert not settings.filepath or not Path(settings.filepath).exists()


def test_peeking_sees_what_the_ledger_has(world):
    world.settle("orders")
    world.put("items")
    world.refresh()
    seen, view = world.store.peek(world.identity), world.ledger.view()
    assert (seen.entries, seen.baselines, seen.revisions) == (view.entries, view.baselines, view.revisions)
    assert (set(seen.entries), set(seen.baselines)) == ({"sales.items"}, {"sales.orders"})


def test_tables_of_the_earlier_integration_are_left_as_they_are(settings, sql):
    if settings.filepath:
        Path(settings.filepath).parent.mkdir()
    for statement in LEGACY:
        sql.run(statement)
    before = sql.run("SELECT * FROM profilemesh_runs"), sql.run("SELECT * FROM profilemesh_results")
    for _ in range(2):
        with Store(settings) as store:
            store.ensure()
            assert store.results(IDENTITY).latest("sales.orders") is None
    assert (sql.run("SELECT * FROM profilemesh_runs"), sql.run("SELECT * FROM profilemesh_results")) == before
    assert sql.count("profilemesh_runs_airflow") == sql.count("profilemesh_results_airflow") == 0
    assert sql.count("profilemesh_table_state") == 0


def test_a_name_that_is_taken_twice_is_an_error(settings, sql):
    if settings.filepath:
        Path(settings.filepath).parent.mkdir()
    for name in ("profilemesh_runs", "profilemesh_runs_airflow"):
        sql.run(f"CREATE TABLE {name} (x INTEGER)")
    with Store(settings) as store, pytest.raises(StoreError, match="choose another name"):
        store.ensure()


def test_tables_have_the_names_of_the_configuration(settings, sql):
    names = TableNames(runs="r" * 63, results="Results", state="order")
    with Store(settings, names) as store:
        store.ensure()
    quote = sql.engine.dialect.identifier_preparer.quote
    assert [sql.count(quote(name)) for name in ("r" * 63, "Results", "order")] == [0, 0, 0]
    with Store(settings, replace(names, runs="renamed")) as store, pytest.raises(StoreError, match="no table renamed"):
        store.ensure()


def test_tables_may_live_in_a_schema_of_their_own(postgres_database):
    settings = replace(postgres_database, schema="My Results")
    with Store(settings) as store:
        with pytest.raises(StoreError, match="My Results"):
            store.ensure()
        engine = make_engine(postgres_database)
        with engine.begin() as connection:
            connection.execute(text('CREATE SCHEMA "My Results"'))
        store.ensure()
        with engine.connect() as connection:
            assert len(inspect(connection).get_table_names(schema="My Results")) == 7
            assert inspect(connection).get_table_names() == []
        engine.dispose()
        assert store.version() == (HEAD, HEAD)
    with Store(settings, create_tables=False) as store:
        assert store.results(IDENTITY).latest("orders") is None


def test_to_mysql_a_schema_is_a_database(mysql_database, sql_of):
    elsewhere = f"{mysql_database.database}_2"
    sql = sql_of(mysql_database)
    sql.run(f"CREATE DATABASE {elsewhere}")
    try:
        for settings in (replace(mysql_database, schema=elsewhere), replace(mysql_database, database=elsewhere)):
            with Store(settings) as store:
                store.ensure()
                assert store.results(IDENTITY).latest("orders") is None
        only_schema = replace(mysql_database, database=None, schema=elsewhere)
        with Store(only_schema, create_tables=False) as store:
            assert store.version() == (HEAD, HEAD)
        assert sql.count(f"{elsewhere}.profilemesh_runs") == 0
        assert sql.run("SHOW TABLES") == []
    finally:
        sql.run(f"DROP DATABASE {elsewhere}")


def test_a_sqlite_store_lets_readers_go_on_while_somebody_writes(sqlite_settings, world_of):
    with Store(sqlite_settings) as store:
        world = world_of(store)
        world.settle("orders")
        engine = make_engine(sqlite_settings)
        with engine.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
            assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == 30_000
            assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        with engine.connect().execution_options(**{BEGIN_MODE: "IMMEDIATE"}) as writer:
            writer.execute(text("DELETE FROM profilemesh_table_state"))
            assert set(world.ledger.baselines()) == {"sales.orders"}
        engine.dispose()
