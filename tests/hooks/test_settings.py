"""A ``profilemesh`` connection, and what the hook makes of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from profilemesh_airflow import ProfileMeshHook
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.hooks.settings import HookSettings, find_settings
from tests.stub_airflow import TOKEN, StubAirflow

SECRET = "s3cret-word"


@pytest.fixture
def config(tmp_path):
    """A configuration that names no environment, its database and its store."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    path = tmp_path / "config.yml"
    path.write_text(
        f"source: {{name: shop, type: sqlite, filepath: {tmp_path / 'shop.db'}}}\n"
        f"storage: {{connection: {{type: sqlite, filepath: {tmp_path / 'store.db'}}}}}\n"
        "profiling: {tables: [{table: orders}, {table: invoices}]}\n"
    )
    return path


def test_a_connection_names_configuration_environment_and_airflow(add_connection):
    extra = {"config_path": "/opt/c.yml", "environment": "prod", "token": SECRET}
    add_connection(host="https://airflow.example.com/prefix", login="pm", password=SECRET, extra=extra)
    assert find_settings("pm") == HookSettings(
        "/opt/c.yml", "prod", "https://airflow.example.com/prefix", "pm", SECRET, SECRET
    )
    assert SECRET not in repr(find_settings("pm"))


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "airflow"}, "https://airflow"),
        ({"host": "airflow", "port": 8080, "schema": "http"}, "http://airflow:8080"),
        ({"host": "http://airflow:8080", "schema": "https", "port": 1}, "http://airflow:8080"),
        ({}, None),
    ],
)
def test_an_address_may_be_given_as_a_whole_or_in_parts(add_connection, fields, address):
    assert find_settings(add_connection(**fields)).api_url == address


def test_extras_with_the_prefix_of_older_forms_are_understood(add_connection):
    assert find_settings(add_connection(extra={"extra__profilemesh__config_path": "/c.yml"})).config_path == "/c.yml"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "postgres"}, "is of type 'postgres', not 'profilemesh'"),
        ({"extra": {"environment": "a b"}}, "environment 'a b' is not allowed"),
    ],
)
def test_a_connection_that_cannot_be_used_is_named(add_connection, fields, message):
    with pytest.raises(ConfigError, match=message):
        find_settings(add_connection(**fields))


def test_a_connection_that_does_not_exist_is_named_with_what_to_do():
    with pytest.raises(ConfigError, match=r"no connection 'nobody'; add it .* AIRFLOW_CONN_NOBODY, or give"):
        find_settings("nobody")


def test_the_hook_finds_the_configuration_through_its_connection(add_connection, config):
    add_connection(extra={"config_path": str(config)})
    assert ProfileMeshHook(profilemesh_conn_id="pm").config.source_name == "shop"


def test_without_anything_it_is_the_default_connection(add_connection, config):
    add_connection("profilemesh_default", extra={"config_path": str(config)})
    assert ProfileMeshHook().config.source_name == "shop"


def test_a_path_alone_asks_for_no_connection_and_has_the_last_word_over_one(add_connection, config):
    assert ProfileMeshHook(str(config)).config.environment == "development"
    add_connection(extra={"config_path": "/nowhere.yml"})
    assert ProfileMeshHook(str(config), "pm").config.source_name == "shop"


def test_the_environment_of_the_connection_stands_in_where_none_is_named(add_connection, config, monkeypatch):
    add_connection(extra={"environment": "prod"})
    assert ProfileMeshHook(str(config), "pm").config.environment == "prod"
    monkeypatch.setenv("PROFILEMESH_ENVIRONMENT", "staging")
    assert ProfileMeshHook(str(config), "pm").config.environment == "staging"
    monkeypatch.delenv("PROFILEMESH_ENVIRONMENT")
    config.write_text(f"environment: test\n{config.read_text()}")
    assert ProfileMeshHook(str(config), "pm").config.environment == "test"


def test_a_connection_without_a_configuration_says_so(add_connection):
    with pytest.raises(ConfigError, match="connection 'pm' names no configuration; set config_path"):
        ProfileMeshHook(profilemesh_conn_id=add_connection(host="airflow")).get_config()


def test_the_button_looks_into_configuration_databases_and_airflow_and_writes_nothing(add_connection, config):
    with StubAirflow() as airflow:
        add_connection(host=airflow.url, extra={"config_path": str(config), "token": TOKEN})
        good, message = ProfileMeshHook(profilemesh_conn_id="pm").test_connection()
    assert good
    assert message.split("; ") == [
        f"configuration {config}",
        f"sqlite file {config.parent / 'shop.db'}: 1 of 2 known tables are there",
        f"store, sqlite file {config.parent / 'store.db'}: not made yet",
        f"Airflow 3.3.2 at {airflow.url}",
    ]
    assert not (config.parent / "store.db").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "it names nothing: set config_path"),
        ({"extra": {"config_path": "/nowhere.yml"}}, "/nowhere.yml: there is no such file"),
        ({"extra": {"environment": "a b"}}, "environment 'a b' is not allowed"),
        ({"host": "http://127.0.0.1:9", "login": "pm", "password": SECRET}, "http://127.0.0.1:9"),
    ],
)
def test_the_button_says_what_is_wrong_and_no_secret(add_connection, fields, message):
    good, said = ProfileMeshHook(profilemesh_conn_id=add_connection(**fields)).test_connection()
    assert (good, message in said, SECRET in said) == (False, True, False)


def test_a_login_that_is_not_valid_is_seen_by_the_button(add_connection):
    with StubAirflow() as airflow:
        add_connection(host=airflow.url, login="admin", password=SECRET)
        good, said = ProfileMeshHook(profilemesh_conn_id="pm").test_connection()
    assert (good, "401" in said, SECRET in said) == (False, True, False)


def test_the_api_of_a_connection_without_an_address_cannot_be_asked(add_connection):
    with pytest.raises(ConfigError, match="has no address of Airflow's REST API; set its host"):
        ProfileMeshHook(profilemesh_conn_id=add_connection()).airflow_api()
