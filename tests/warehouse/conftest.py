"""A database of each kind, and the statements that are sent to it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy.engine import make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.warehouse import Means, Warehouse
from profilemesh_airflow.warehouse.stream import sqlite as stream_sqlite
from profilemesh_airflow.warehouse.stream.process import Process
from tests.sent import statements_sent
from tests.warehouse.databases import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@pytest.fixture(scope="session")
def postgres_settings(postgres_url: str) -> Iterator[ConnectionSettings]:
    """One PostgreSQL database for all these tests, each in a schema of its own."""
    url = make_url(postgres_url)
    name = f"pm_warehouse_{uuid4().hex[:12]}"
    host = url.host or url.query.get("host")
    admin = psycopg2.connect(
        host=host, port=url.port, user=url.username, password=url.password, dbname=url.database or "postgres"
    )
    admin.autocommit = True
    cursor = admin.cursor()
    cursor.execute(f'CREATE DATABASE "{name}"')
    yield ConnectionSettings(
        "postgres", host=host, port=url.port, database=name, username=url.username, password=url.password
    )
    cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin.close()


@contextmanager
def _new_postgres(settings: ConnectionSettings) -> Iterator[Database]:
    schema = f"s_{uuid4().hex[:12]}"
    Database(settings, Warehouse(settings)).run(f"CREATE SCHEMA {schema}")
    settings = replace(settings, schema=schema)
    with Warehouse(settings) as warehouse:
        yield Database(settings, warehouse)
    Database(settings, warehouse).run(f"DROP SCHEMA {schema} CASCADE")


@contextmanager
def _new_sqlite(path: str) -> Iterator[Database]:
    settings = ConnectionSettings("sqlite", filepath=path)
    with Warehouse(settings) as warehouse:
        database = Database(settings, warehouse)
        database.run("PRAGMA user_version = 1")
        yield database


@pytest.fixture
def postgres(postgres_settings: ConnectionSettings) -> Iterator[Database]:
    with _new_postgres(postgres_settings) as database:
        yield database


@pytest.fixture
def sqlite(tmp_path) -> Iterator[Database]:
    with _new_sqlite(str(tmp_path / "warehouse.db")) as database:
        yield database


@contextmanager
def _new_mysql(url: str) -> Iterator[Database]:
    """A database in which texts are equal that are the same; most collations see that in another way."""
    at, name = make_url(url), f"pm_warehouse_{uuid4().hex[:12]}"
    server = ConnectionSettings("mysql", host=at.host, port=at.port, username=at.username, password=at.password)
    admin = Database(server, Warehouse(server))
    exact = "utf8mb4_nopad_bin" if "MariaDB" in admin.ask("SELECT version()")[0][0] else "utf8mb4_0900_bin"
    admin.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE {exact}")
    settings = replace(server, database=name)
    try:
        with Warehouse(settings) as warehouse:
            yield Database(settings, warehouse)
    finally:
        admin.run(f"DROP DATABASE {name}")


@pytest.fixture
def mysql(mysql_url: str) -> Iterator[Database]:
    with _new_mysql(mysql_url) as database:
        yield database


@contextmanager
def _new_duckdb(path: str) -> Iterator[Database]:
    settings = ConnectionSettings("duckdb", filepath=path)
    with Warehouse(settings) as warehouse:
        database = Database(settings, warehouse)
        database.run("SELECT 1")
        yield database


@pytest.fixture
def duckdb(tmp_path) -> Iterator[Database]:
    with _new_duckdb(str(tmp_path / "warehouse.duckdb")) as database:
        yield database


KINDS = ["sqlite", "duckdb", "postgres", "mysql"]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Database:
    """Each kind of database in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=KINDS)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[Database]:
    """The same, filled once for all tests of a file."""
    folder = tmp_path_factory.mktemp("shared")
    makers: dict[str, Callable[[], AbstractContextManager[Database]]] = {
        "sqlite": lambda: _new_sqlite(str(folder / "warehouse.db")),
        "duckdb": lambda: _new_duckdb(str(folder / "warehouse.duckdb")),
        "postgres": lambda: _new_postgres(request.getfixturevalue("postgres_settings")),
        "mysql": lambda: _new_mysql(request.getfixturevalue("mysql_url")),
    }
    with makers[request.param]() as database:
        yield database


@pytest.fixture(scope="session")
def reading_process() -> Iterator[Process]:
    process = Process()
    yield process
    process.close()


@pytest.fixture
def one_reader(reading_process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process reads the SQLite files of all warehouses: starting one takes longer than most tests."""
    monkeypatch.setattr(stream_sqlite, "process_of", lambda _: reading_process)


@pytest.fixture(params=["sql", "stream"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, one_reader: None) -> None:
    """Profiles are computed each way in turn."""
    used = [*request.fixturenames, *request.node.callspec.params.values()]
    if request.param == "stream" and ("duckdb" in used or "mysql" in used):
        pytest.skip("no rows are streamed out of it")
    monkeypatch.setattr(Database, "means", Means(request.param))


@pytest.fixture(params=["psycopg2", "psycopg"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each driver of PostgreSQL in turn, as if it were the only one."""
    if request.param == "psycopg" and sqlalchemy.__version__.startswith("1."):
        pytest.skip("SQLAlchemy 1.4 cannot use psycopg 3")
    pytest.importorskip(request.param)
    monkeypatch.setattr("profilemesh_airflow.drivers.find_spec", lambda name: name == request.param)
    return str(request.param)


@pytest.fixture
def statements() -> Callable[[], AbstractContextManager[list[str]]]:
    """A context in which every statement that SQLAlchemy sends is noted."""
    return statements_sent
