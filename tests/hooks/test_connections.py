"""Airflow connections as connection settings."""

from __future__ import annotations

import json

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.hooks.connections import resolve_connection


@pytest.fixture
def connection(monkeypatch):
    def define(**fields):
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(fields))
        return resolve_connection("shop")

    return define


def test_a_postgres_connection_keeps_what_the_driver_takes_and_leaves_the_rest(connection):
    found = connection(
        conn_type="postgres",
        host="db",
        port=5433,
        login="ann",
        password="pw",
        schema="shop",
        extra={"sslmode": "require", "cursor": "dictcursor", "iam": True},
    )
    assert found == ConnectionSettings(
        "postgres",
        host="db",
        port=5433,
        username="ann",
        password="pw",
        database="shop",
        extra_params={"sslmode": "require"},
    )


def test_a_sqlite_connection_has_its_path_in_host(connection):
    assert connection(conn_type="sqlite", host="/data/shop.db") == ConnectionSettings(
        "sqlite", filepath="/data/shop.db"
    )


def test_snowflake_names_its_database_in_an_extra(connection):
    found = connection(
        conn_type="snowflake",
        login="ann",
        schema="sales",
        extra={"account": "acme", "warehouse": "wh", "role": "reader", "database": "SHOP"},
    )
    assert (found.account, found.warehouse, found.role) == ("acme", "wh", "reader")
    assert (found.database, found.schema) == ("SHOP", "sales")


def test_older_extras_of_snowflake_are_understood_and_drivers_arguments_passed_on(connection):
    found = connection(
        conn_type="snowflake",
        login="ann",
        schema="sales",
        extra={"extra__snowflake__account": "acme", "database": "SHOP", "authenticator": "externalbrowser", "other": 1},
    )
    assert (found.account, found.database) == ("acme", "SHOP")
    assert found.extra_params == {"authenticator": "externalbrowser"}


@pytest.mark.parametrize("kind", ["google_cloud_platform", "bigquery"])
def test_a_google_connection_has_its_project_and_its_key_in_extras(connection, kind):
    found = connection(
        conn_type=kind,
        schema="shop",
        extra={"project": "acme", "extra__google_cloud_platform__keyfile_dict": '{"type": "x"}', "location": "EU"},
    )
    assert found == ConnectionSettings(
        "bigquery",
        database="acme",
        schema="shop",
        extra_params={"location": "EU", "credentials_info": {"type": "x"}},
    )
    by_file = connection(conn_type=kind, extra={"key_path": "/keys/a.json"})
    assert by_file.extra_params == {"credentials_path": "/keys/a.json"}


def test_a_mysql_connection_keeps_what_the_driver_takes(connection):
    found = connection(conn_type="mysql", host="db", schema="shop", extra={"ssl": {"ca": "x"}, "cursor": "sscursor"})
    assert (found.database, found.extra_params) == ("shop", {"ssl": {"ca": "x"}})


def test_a_duckdb_connection_has_its_path_in_host(connection):
    assert connection(conn_type="duckdb", host="/data/shop.duckdb").filepath == "/data/shop.duckdb"


def test_a_missing_connection_says_how_to_add_it():
    with pytest.raises(ConfigError, match=r"no connection 'nowhere'.*airflow connections add"):
        resolve_connection("nowhere")


def test_a_connection_of_another_kind_names_the_kinds_that_do(connection):
    with pytest.raises(ConfigError, match=r"type 'http'; use one of bigquery, duckdb"):
        connection(conn_type="http", host="example.invalid")
