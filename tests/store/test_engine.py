"""Reaching the store, and saying clearly why it cannot be reached."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
import sqlalchemy

from profilemesh_airflow import drivers
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.exceptions import NotBuiltError, StoreError
from profilemesh_airflow.store import Store
from profilemesh_airflow.store.database import ATTEMPTS, ConflictError, Database

IDENTITY = Identity("test", "warehouse")
NOWHERE = ConnectionSettings("postgres", "127.0.0.1", 1, "results", "somebody", "hunter2-hunter2")


def test_an_unreachable_server_is_one_line_without_the_password():
    with Store(NOWHERE) as store, pytest.raises(StoreError) as raised:
        store.ensure()
    message = str(raised.value)
    assert message.startswith("results store (postgres database results at 127.0.0.1:1): ")
    assert message.endswith("; check storage.connection")
    assert "\n" not in message
    assert "hunter2" not in message


def test_a_secret_in_the_drivers_message_is_not_repeated():
    settings = replace(NOWHERE, extra_params={"options": "hunter2-hunter2"}, host="hunter2-hunter2.invalid")
    with Store(settings) as store, pytest.raises(StoreError) as raised:
        store.version()
    assert "hunter2" not in str(raised.value).split("): ", 1)[1]
    assert raised.value.__cause__ is None


def test_an_argument_that_the_driver_does_not_know_is_named(sqlite_settings):
    unknown = replace(sqlite_settings, extra_params={"nonsense": 1})
    with Store(unknown) as store, pytest.raises(StoreError, match=r"extra_params: .*nonsense"):
        store.ensure()


@pytest.mark.parametrize("kind", ["snowflake", "duckdb"])
def test_a_database_that_is_not_supported_yet_is_named(kind):
    with pytest.raises(NotBuiltError, match=f"{kind}.*use mysql, postgres, sqlite"):
        Store(ConnectionSettings(kind))


@pytest.mark.skipif(sqlalchemy.__version__.startswith("1."), reason="SQLAlchemy 1.4 cannot use psycopg 3")
def test_psycopg_3_serves_where_psycopg2_is_missing(monkeypatch, world_of, postgres_database):
    pytest.importorskip("psycopg")
    monkeypatch.setattr(drivers, "find_spec", lambda name: name == "psycopg")
    with Store(postgres_database) as store:
        world = world_of(store)
        world.settle("orders", "items")
        world.put("orders", "items", version="2")
        assert len(world.refresh()) == 2


def test_a_mysql_session_does_not_depend_on_the_servers_settings(mysql_database):
    database = Database(mysql_database)
    query = sqlalchemy.text("SELECT @@session.sql_mode, @@character_set_connection")
    with database.transaction(writes=False) as connection:
        assert connection.execute(query).one() == ("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "utf8mb4")
        assert connection.get_isolation_level() == "READ COMMITTED"
    database.close()


def test_a_mysql_store_needs_a_database():
    with pytest.raises(StoreError, match="has no database"):
        Store(ConnectionSettings("mysql", "127.0.0.1"))


def test_a_server_whose_login_needs_another_package_says_so(monkeypatch, mysql_database):
    def connect(**_):
        raise RuntimeError("'cryptography' package is required for caching_sha2_password")

    monkeypatch.setattr(pymysql, "connect", connect)
    with Store(mysql_database) as store, pytest.raises(StoreError, match="'cryptography' package is required"):
        store.ensure()


def test_a_sqlite_store_needs_a_file():
    with pytest.raises(StoreError, match="needs the path of its file"):
        Store(ConnectionSettings("sqlite"))


def test_a_file_that_is_no_database_is_named(sqlite_settings):
    Path(sqlite_settings.filepath).parent.mkdir()
    Path(sqlite_settings.filepath).write_text("not a database " * 100)
    with Store(sqlite_settings) as store, pytest.raises(StoreError, match=r"new\.db\): file is not a database"):
        store.ensure()


def test_a_folder_that_cannot_be_made_is_named(sqlite_settings, tmp_path):
    (tmp_path / "file").touch()
    below_a_file = replace(sqlite_settings, filepath=str(tmp_path / "file" / "store.db"))
    with Store(below_a_file) as store, pytest.raises(StoreError, match=r"cannot make the folder .*file of the results"):
        store.ensure()


@pytest.fixture
def database(settings):
    database = Database(settings)
    yield database
    database.close()


def test_work_that_others_get_in_the_way_of_is_tried_again(database):
    tries = []

    def work(_):
        tries.append(1)
        if len(tries) < 3:
            raise ConflictError
        return "done"

    assert database.write(work) == "done"
    assert len(tries) == 3


def test_work_that_others_keep_getting_in_the_way_of_fails(database, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.store.database.LONGEST_PAUSE_SECONDS", 0)
    tries = []

    def work(_):
        tries.append(1)
        raise ConflictError

    with pytest.raises(StoreError, match="try again later"):
        database.write(work)
    assert len(tries) == ATTEMPTS


def test_work_that_the_database_refuses_is_not_tried_again(database):
    tries = []

    def work(connection):
        tries.append(1)
        connection.execute(sqlalchemy.text("SELECT * FROM nowhere"))

    with pytest.raises(StoreError, match="nowhere"):
        database.write(work)
    assert len(tries) == 1
