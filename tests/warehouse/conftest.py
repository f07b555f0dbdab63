"""A database of each kind, and the statements that are sent to it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.warehouse import Warehouse
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


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """Each kind of database in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_database(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[Database]:
    """The same, filled once for all tests of a file."""
    if request.param == "sqlite":
        with _new_sqlite(str(tmp_path_factory.mktemp("shared") / "warehouse.db")) as database:
            yield database
    else:
        with _new_postgres(request.getfixturevalue("postgres_settings")) as database:
            yield database


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

    @contextmanager
    def noted() -> Iterator[list[str]]:
        sent: list[str] = []

        def note(_connection, _cursor, statement, *_) -> None:
            sent.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return noted
