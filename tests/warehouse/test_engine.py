"""Reaching a database, and what is said when that fails."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import NotBuiltError, WarehouseError
from profilemesh_airflow.warehouse import Warehouse, connect
from profilemesh_airflow.warehouse.errors import connection_error
from tests.warehouse.databases import Database

if TYPE_CHECKING:
    from pathlib import Path

    from profilemesh_airflow.core.plan import TableInfo


def catalog(settings: ConnectionSettings) -> dict[TableRef, TableInfo]:
    with Warehouse(settings) as warehouse:
        return warehouse.catalog([TableRef("t")])


def test_a_database_without_a_dialect_is_refused_and_the_supported_ones_are_named() -> None:
    for attempt in (Warehouse, connect):
        with pytest.raises(NotBuiltError, match=r"'oracle'.*mysql, postgres, redshift, snowflake, sqlite"):
            attempt(ConnectionSettings("oracle"))


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"
    with pytest.raises(WarehouseError, match=r"cannot use sqlite file .*missing\.db: .*; check that the file exists"):
        catalog(ConnectionSettings("sqlite", filepath=str(path)))
    assert not path.exists()


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_directory_is_no_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(WarehouseError, match=f"{tmp_path}: it is a directory; name the database file in it$"):
        catalog(ConnectionSettings(kind, filepath=str(tmp_path)))


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("This is not a database, whatever it is called.\n" * 100)
    with pytest.raises(WarehouseError, match="is not an SQLite database"):
        catalog(ConnectionSettings("sqlite", filepath=str(path)))


def test_sqlite_without_a_file_is_an_error() -> None:
    with pytest.raises(WarehouseError, match="set `filepath`"):
        catalog(ConnectionSettings("sqlite"))


@pytest.mark.parametrize(
    "name", ["a b.db", "what?.db", "no#1.db", "100%25.db", "größe.db", "a&mode=rwc.db", "file:x.db"]
)
def test_a_path_may_hold_any_character(tmp_path: Path, name: str) -> None:
    settings = ConnectionSettings("sqlite", filepath=str(tmp_path / name))
    with Warehouse(settings) as warehouse:
        database = Database(settings, warehouse)
        database.create("t", {"a": "integer"}, [(1,)])
        assert database.profile("t").row_count == 1


def test_nothing_can_be_written(database: Database) -> None:
    database.create("t", {"a": "integer"})
    engine = connect(database.settings)
    schema = database.settings.schema or database.settings.database or "main"
    with engine.connect() as connection, pytest.raises(DBAPIError, match=r"(?i)read[- ]?only"):
        connection.exec_driver_sql(f"INSERT INTO {schema}.t VALUES (1)")
    engine.dispose()


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_server_that_is_down_is_an_error_in_one_line() -> None:
    port = _free_port()
    settings = ConnectionSettings("postgres", host="127.0.0.1", port=port, database="d", password="hunter22")
    with pytest.raises(WarehouseError) as raised:
        catalog(settings)
    message = str(raised.value)
    assert message.startswith(f"cannot use postgres database d at 127.0.0.1:{port}: ")
    assert "check host and port" in message
    assert "\n" not in message
    assert "hunter22" not in message


def test_a_database_that_does_not_exist_is_an_error(postgres: Database) -> None:
    with pytest.raises(WarehouseError, match=r"nowhere.*check the name of the database"):
        catalog(replace(postgres.settings, database="nowhere"))


def test_an_unknown_login_is_an_error(postgres: Database) -> None:
    with pytest.raises(WarehouseError, match="check username and password"):
        catalog(replace(postgres.settings, username="nobody_here"))


def test_a_wrong_parameter_of_the_driver_is_an_error(postgres: Database) -> None:
    with pytest.raises(WarehouseError, match="check extra_params"):
        catalog(replace(postgres.settings, extra_params={"no_such_option": "1"}))


def test_the_server_sees_who_connects_and_driver_arguments_are_passed_on(postgres: Database) -> None:
    settings = replace(postgres.settings, extra_params={"options": "-c statement_timeout=4321"})
    engine = connect(settings)
    with engine.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("application_name", "statement_timeout", "transaction_read_only", "transaction_isolation")
        ]
    engine.dispose()
    assert shown == ["profilemesh-airflow", "4321ms", "on", "repeatable read"]


def test_a_network_that_fell_silent_is_noticed_within_minutes(postgres: Database) -> None:
    engine = connect(replace(postgres.settings, extra_params={"keepalives_interval": 5}))
    with engine.connect() as connection:
        given = connection.connection.dbapi_connection.info.dsn_parameters
    engine.dispose()
    assert (given["keepalives_idle"], given["keepalives_interval"], given["keepalives_count"]) == ("60", "5", "6")


@pytest.mark.skipif(sqlalchemy.__version__.startswith("1."), reason="SQLAlchemy 1.4 cannot use psycopg 3")
def test_psycopg_3_serves_where_psycopg2_is_missing(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr("profilemesh_airflow.drivers.find_spec", lambda name: name == "psycopg")
    rows = [(i, i / 3, f"text {i % 7}", None if i % 5 else "2024-01-01 12:30:00") for i in range(100)]
    columns = {"i": "integer", "f": "double", "t": "text", "at": "timestamp", "n": "numeric(12,2)", "% (x)s :y": "real"}
    postgres.create("t", columns, [(*row, row[1], row[0]) for row in rows])
    expected = postgres.profile("t")
    with Warehouse(postgres.settings) as warehouse:
        found = Database(postgres.settings, warehouse)
        assert found.version("t") == postgres.version("t")
        assert found.profile("t").columns == expected.columns


@pytest.mark.parametrize("hidden", ["s3cret", "abcdefgh"])
def test_no_secret_is_repeated_from_a_drivers_message(hidden: str) -> None:
    settings = ConnectionSettings("postgres", password="s3cret", extra_params={"token": "abcdefgh"})
    error = connection_error(RuntimeError(f"bad dsn: password={hidden}\n\tsecond line"), settings)
    assert hidden not in str(error)
    assert "password=*** second line" in str(error)
