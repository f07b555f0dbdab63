"""Which troubles of a database pass, so that another try is worth it, and which do not."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from threading import Thread
from time import monotonic, sleep
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import WarehouseError, WarehouseUnavailableError
from profilemesh_airflow.warehouse import Warehouse, connect
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.errors import connection_error, is_transient
from profilemesh_airflow.warehouse.lanes import Lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.warehouse.databases import Database


def catalog(settings: ConnectionSettings) -> Any:
    with Warehouse(settings) as warehouse:
        return warehouse.catalog([TableRef("t")])


@pytest.mark.parametrize(
    ("code", "transient"),
    [
        ("08000", True),
        ("08001", True),
        ("08006", True),
        ("40001", True),
        ("40P01", True),
        ("53300", True),
        ("55P03", True),
        ("57P01", True),
        ("57P02", True),
        ("57P03", True),
        ("57P05", True),
        ("22012", False),
        ("25P03", False),
        ("28000", False),
        ("28P01", False),
        ("3D000", False),
        ("42501", False),
        ("42601", False),
        ("42P01", False),
        ("53100", False),
        ("53200", False),
        ("57014", False),
        ("57P04", False),
        ("XX000", False),
    ],
)
@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
def test_the_sqlstate_decides(code: str, transient: bool, name: str) -> None:
    error = OperationalError("SELECT 1", None, SimpleNamespace(**{name: code}))  # type: ignore[arg-type]
    assert is_transient(error) is transient
    assert isinstance(connection_error(error, ConnectionSettings("postgres")), WarehouseUnavailableError) is transient


@pytest.mark.parametrize(("code", "transient"), [(None, True), ("XX000", True), ("25P03", False), ("57P04", False)])
def test_a_lost_connection_passes_unless_the_server_says_otherwise(code: str | None, transient: bool) -> None:
    cause = SimpleNamespace(sqlstate=code)
    error = OperationalError("SELECT 1", None, cause, connection_invalidated=True)  # type: ignore[arg-type]
    assert is_transient(error) is transient


REFUSED = 'connection to server at "localhost" (::1), port 5432 failed: Connection refused\n'
AT = 'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  '


@pytest.mark.parametrize(
    ("said", "transient"),
    [
        (f"{REFUSED}\tIs the server running on that host and accepting TCP/IP connections?\n", True),
        (f"{AT}the database system is starting up\n", True),
        (f"{AT}the database system is shutting down\n", True),
        (f"{AT}the database system is in recovery mode\n", True),
        (f"{AT}the database system is not yet accepting connections\n", True),
        (f"{AT}sorry, too many clients already\n", True),
        (f"{AT}remaining connection slots are reserved for roles with the SUPERUSER attribute\n", True),
        (f'{AT}too many connections for role "reader"\n', True),
        ("connection to server at 10.0.0.1, port 5432 failed: timeout expired\n", True),
        ("connection to server at 10.0.0.1, port 5432 failed: No route to host\n", True),
        ("connection to server at 10.0.0.1, port 5432 failed: server closed the connection unexpectedly\n", True),
        ("connection failed: could not receive data from server: Connection reset by peer\n", True),
        ('could not translate host name "db" to address: Temporary failure in name resolution\n', True),
        ('could not translate host name "db" to address: Name or service not known\n', False),
        (f'{AT}password authentication failed for user "u"\n', False),
        (f'{REFUSED}{AT}password authentication failed for user "u"\n', False),
        (f'{REFUSED}{AT}database "nowhere" does not exist\n', False),
        (f'{REFUSED}{AT}role "nobody" does not exist\n', False),
        (f'{AT}database "shop" is not currently accepting connections\n', False),
        (f'{AT}permission denied for database "shop"\n', False),
        ('invalid connection option "timeouts"\n', False),
        ("something else\n", False),
    ],
)
def test_while_a_connection_is_made_the_words_decide(said: str, transient: bool) -> None:
    assert is_transient(OperationalError(None, None, psycopg2.OperationalError(said))) is transient


def test_the_words_of_a_refused_statement_decide_nothing() -> None:
    error = OperationalError("SELECT timeout FROM t", None, psycopg2.OperationalError('"timeout" refused'))
    assert not is_transient(error)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_server_that_does_not_answer_may_answer_later(silent_port: int) -> None:
    settings = ConnectionSettings("postgres", host="127.0.0.1", port=silent_port, extra_params={"connect_timeout": 2})
    with pytest.raises(WarehouseUnavailableError, match="check host and port"):
        catalog(settings)


@pytest.mark.usefixtures("driver")
def test_a_server_that_is_down_may_come_back() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        settings = ConnectionSettings("postgres", host="127.0.0.1", port=free.getsockname()[1])
        with pytest.raises(WarehouseUnavailableError):
            catalog(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"database": "nowhere"},
        {"username": "nobody_here"},
        {"host": "no-such-host.invalid"},
        {"extra_params": {"no_such_option": "1"}},
    ],
)
@pytest.mark.usefixtures("driver")
def test_what_is_wrong_stays_wrong(postgres: Database, wrong: dict[str, Any]) -> None:
    with pytest.raises(WarehouseError) as raised:
        catalog(replace(postgres.settings, **wrong))
    assert not isinstance(raised.value, WarehouseUnavailableError)


@pytest.mark.parametrize("path", ["missing.db", "."])
def test_a_file_that_cannot_be_opened_stays_so(tmp_path: Any, path: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        catalog(ConnectionSettings("sqlite", filepath=str(tmp_path / path)))
    assert not isinstance(raised.value, WarehouseUnavailableError)


@pytest.fixture
def crowded(postgres: Database) -> Iterator[ConnectionSettings]:
    """A login of an ordinary user, and a second database that grants nobody a connection."""
    role, other = f"role_{uuid4().hex[:12]}", f"pm_full_{uuid4().hex[:12]}"
    postgres.run(f"CREATE ROLE {role} LOGIN", f"CREATE DATABASE {other} CONNECTION LIMIT 0")
    yield replace(postgres.settings, username=role, extra_params={"options": f"-c profilemesh.other={other}"})
    postgres.run(f"DROP DATABASE {other}", f"DROP ROLE {role}")


def test_a_database_without_a_free_connection_does_not_make_its_tables_missing(crowded: ConnectionSettings) -> None:
    other = crowded.extra_params["options"].partition("=")[2]
    with Warehouse(crowded) as warehouse:
        assert warehouse.catalog([TableRef("t")]) == {}
        with pytest.raises(WarehouseUnavailableError, match="no connection is free: try again later"):
            warehouse.catalog([TableRef("t"), TableRef("t", "public", other)])


@pytest.mark.usefixtures("driver")
def test_a_connection_that_is_ended_in_the_middle_of_a_profile_may_hold_next_time(postgres: Database) -> None:
    postgres.run("CREATE VIEW t AS SELECT i, length(pg_sleep(0.05)::text) AS n FROM generate_series(1, 600) AS g(i)")
    info = postgres.info("t")

    def end() -> None:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        deadline = monotonic() + 60
        while not postgres.ask(f"{ended} AND datname = current_database()") and monotonic() < deadline:
            sleep(0.05)

    killer = Thread(target=end)
    killer.start()
    with pytest.raises(WarehouseUnavailableError, match="the server ended the connection"):
        postgres.warehouse.profile(info, TableSettings())
    killer.join()


def test_a_lane_whose_connection_was_lost_says_so_ever_after(postgres: Database) -> None:
    engine = connect(postgres.settings)
    suicide, question = sa.text("SELECT pg_terminate_backend(pg_backend_pid())"), sa.text("SELECT 1")
    with Lanes(engine, DIALECTS["postgres"], postgres.settings, 1) as lanes:
        works = [lanes.submit(lambda lane, sql: lane.run(sql), sql) for sql in (suicide, question, question)]
        errors = [type(work.exception()) for work in works]
    assert errors == [WarehouseUnavailableError] * 3
    engine.dispose()


def test_a_lock_that_is_not_granted_in_time_fails_the_profile_and_no_metric(postgres: Database) -> None:
    postgres.create("t", {"a": "integer"}, [(1,), (2,)])
    info = postgres.info("t")
    settings = replace(postgres.settings, extra_params={"options": "-c lock_timeout=200ms"})
    with Warehouse(settings) as warehouse:
        with postgres.connect() as holder:
            holder.autocommit = False
            holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(WarehouseUnavailableError, match="other sessions were in the way: try again later"):
                warehouse.profile(info, TableSettings())
        assert warehouse.profile(info, TableSettings()).row_count == 2


ASKED: dict[str, Callable[[Warehouse, Any], Any]] = {
    "catalog": lambda warehouse, info: warehouse.catalog([info.ref, TableRef("u")]),
    "versions": lambda warehouse, info: warehouse.versions([info]),
    "profile": lambda warehouse, info: warehouse.profile(info, TableSettings()),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_file_that_another_program_has_locked_may_be_free_later(sqlite: Database, asked: str) -> None:
    sqlite.create("t", {"a": "integer"}, [(1,)])
    info = sqlite.info("t")
    with Warehouse(replace(sqlite.settings, extra_params={"timeout": 0.1})) as warehouse:
        with sqlite.connect() as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(WarehouseUnavailableError, match="another program writes to it: try again later"):
                ASKED[asked](warehouse, info)
        assert ASKED[asked](warehouse, info)


def test_a_secret_in_the_words_of_a_server_that_is_away_is_blotted_out() -> None:
    settings = ConnectionSettings("postgres", password="s3cret")
    said = psycopg2.OperationalError("Connection refused, said s3cret")
    error = connection_error(OperationalError(None, None, said), settings)
    assert isinstance(error, WarehouseUnavailableError)
    assert "s3cret" not in str(error)
