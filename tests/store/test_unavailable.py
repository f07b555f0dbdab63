"""A server that goes away, is not there, or is full."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
import sqlalchemy

from profilemesh_airflow import drivers
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.ledger import LEASE_EXPIRED, PROFILED
from profilemesh_airflow.exceptions import ClaimLostError, StoreError, StoreUnavailableError
from profilemesh_airflow.store import Store, engine
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.engine import BEGIN_MODE, make_engine

ORDERS = "sales.orders"
SERVERS = pytest.mark.parametrize("settings", ["postgres", "mysql"], indirect=True)
WHO_AM_I = {"mysql": "SELECT connection_id()", "postgres": "SELECT pg_backend_pid()"}
END = {"mysql": "KILL {}", "postgres": "SELECT pg_terminate_backend({})"}


@pytest.fixture(params=["psycopg2", "psycopg"])
def driver(request, monkeypatch):
    """Either driver of PostgreSQL."""
    pytest.importorskip(request.param)
    if request.param == "psycopg" and sqlalchemy.__version__.startswith("1."):
        pytest.skip("SQLAlchemy 1.4 cannot use psycopg 3")
    monkeypatch.setattr(drivers, "find_spec", lambda name: name in (request.param, "pymysql"))


@pytest.fixture
def end(sql):
    """Returns what ends a connection from the server's side, as its operator would, or its crash."""

    def how(raw):
        cursor = raw.cursor()
        cursor.execute(WHO_AM_I[sql.settings.type])
        number = cursor.fetchone()[0]
        return lambda: sql.run(END[sql.settings.type].format(number))

    return how


@pytest.fixture
def database(settings):
    database = Database(settings)
    yield database
    database.close()


@SERVERS
@pytest.mark.usefixtures("driver")
def test_a_connection_that_is_ended_in_a_transaction_fails_it_and_the_next_one_succeeds(database, end, sql):
    def work(connection):
        connection.exec_driver_sql("DELETE FROM profilemesh_events")
        end(connection.connection)()
        connection.exec_driver_sql("DELETE FROM profilemesh_events")

    for run in (database.write, database.read):
        with pytest.raises(StoreUnavailableError, match=r"results store .*; check storage\.connection"):
            run(work)
        assert database.read(database.now)


@SERVERS
def test_an_idle_connection_that_was_ended_is_replaced_unnoticed(database, end, monkeypatch):
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0)
    end_it = database.read(lambda connection: end(connection.connection))
    end_it()
    assert database.read(database.now)


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
@pytest.mark.usefixtures("driver")
def test_a_server_that_is_not_there_is_unavailable(kind):
    nowhere = ConnectionSettings(kind, "127.0.0.1", 1, "results", "somebody", "hunter2-hunter2")
    with Store(nowhere) as store, pytest.raises(StoreUnavailableError, match="refused") as raised:
        store.ensure()
    assert "hunter2" not in str(raised.value)


@pytest.mark.usefixtures("driver")
def test_a_database_that_does_not_exist_is_not_merely_unavailable(postgres_database, mysql_database):
    for settings in (postgres_database, mysql_database):
        with Store(replace(settings, database="nowhere_to_be_found")) as store, pytest.raises(StoreError) as raised:
            store.ensure()
        assert "nowhere_to_be_found" in str(raised.value)
        assert not isinstance(raised.value, StoreUnavailableError)


@pytest.mark.usefixtures("driver")
def test_a_postgres_role_without_a_free_connection_is_unavailable(postgres_database, sql_of):
    role, sql = f"pm_{uuid4().hex[:12]}", sql_of(postgres_database)
    sql.run(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    database = Database(replace(postgres_database, username=role))
    try:
        with database.transaction(writes=False), pytest.raises(StoreUnavailableError, match="too many connections"):
            database.read(database.now)
    finally:
        database.close()
        sql.run(f"DROP ROLE {role}")


def test_a_mysql_user_without_a_free_connection_is_unavailable(mysql_database, sql_of):
    user, sql = f"pm_{uuid4().hex[:12]}", sql_of(mysql_database)
    sql.run(f"CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS 1")
    sql.run(f"GRANT ALL ON {mysql_database.database}.* TO {user}@'%'")
    database = Database(replace(mysql_database, username=user))
    try:
        with database.transaction(writes=False), pytest.raises(StoreUnavailableError, match="max_user_connections"):
            database.read(database.now)
    finally:
        database.close()
        sql.run(f"DROP USER {user}@'%'")


def test_a_file_that_another_program_keeps_locked_is_unavailable(sqlite_settings):
    with Store(sqlite_settings) as store:
        store.upgrade()
    database = Database(replace(sqlite_settings, extra_params={"timeout": 0.05}))
    with make_engine(sqlite_settings).connect().execution_options(**{BEGIN_MODE: "IMMEDIATE"}) as other:
        other.exec_driver_sql("DELETE FROM profilemesh_events")
        with pytest.raises(StoreUnavailableError, match="locked"):
            database.write(database.now)
    assert database.write(database.now)
    database.close()


@SERVERS
class TestAnAnswerThatWasLost:
    """The transaction is committed, and the connection ends before the worker hears of it."""

    @pytest.fixture
    def lost(self, world, end):
        """The block's first commit is made, and its answer is lost."""

        @contextmanager
        def lose():
            dialect = world.store._database.engine.dialect
            commit = dialect.do_commit

            def cut_off(raw):
                commit(raw)
                end(raw)()
                raw.cursor().execute("SELECT 1")

            dialect.do_commit = cut_off
            try:
                with pytest.raises(StoreUnavailableError):
                    yield
            finally:
                dialect.do_commit = commit

        return lose

    def test_of_a_commit_is_given_by_the_next_try(self, world, lost, stored):
        world.put("orders")
        world.refresh()
        claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)
        with lost():
            world.ledger.commit(claim, run)
        after = world.ledger.commit(claim, run)
        assert (after.outcome, after.run_id) == (PROFILED, run.run_id)
        assert stored() == [1, 3, 1]

    def test_of_a_refresh_is_given_by_the_next_try(self, world, lost):
        world.put("orders", "items")
        looked = world.look()
        with lost():
            world.ledger.record(*looked)
        assert {entry.key for entry in world.ledger.record(*looked)} == set(world.tables)
        assert [len(world.ledger.history(key)) for key in world.tables] == [1, 1]

    def test_of_a_failure_is_that_it_was_given_back(self, world, lost):
        world.put("orders")
        world.refresh()
        claim = world.ledger.claim(ORDERS, "worker")
        with lost():
            world.ledger.fail(claim, "boom")
        with pytest.raises(ClaimLostError, match="given back before"):
            world.ledger.fail(claim, "boom")
        assert world.ledger.open_entries()[ORDERS].attempts == 1

    def test_of_a_claim_comes_back_with_its_lease(self, world, lost, travel):
        world.put("orders")
        world.ring()
        with lost():
            world.ledger.claim(ORDERS, "worker")
        assert world.ledger.claim(ORDERS, "worker") is None
        travel(hours=1)
        (entry,) = world.refresh()
        assert entry.last_error_type == LEASE_EXPIRED
