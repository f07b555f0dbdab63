from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.config import ConnectionConfig, SourceConfig
from profilemesh_airflow.config.base import is_slug
from profilemesh_airflow.config.connection import slugify
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from profilemesh_airflow.config import LoadedConfig

TABLES = "profiling: {tables: [{table: t}]}\n"


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("postgres", "postgres"),
        ("postgresql", "postgres"),
        ("Postgres", "postgres"),
        ("mysql", "mysql"),
        ("mariadb", "mysql"),
        ("snowflake", "snowflake"),
        ("bigquery", "bigquery"),
        ("redshift", "redshift"),
    ],
)
def test_a_type_has_one_spelling_in_the_end(load: Callable[..., LoadedConfig], written: str, kind: str) -> None:
    assert load(f"source: {{type: {written}}}\n{TABLES}").model.source.type == kind


def test_settings_are_what_is_written() -> None:
    config = ConnectionConfig.model_validate(
        {
            "type": "snowflake",
            "host": "h",
            "port": 1,
            "database": "d",
            "username": "u",
            "password": 1234,
            "schema": 2024,
            "account": "a",
            "warehouse": "w",
            "role": "r",
            "extra_params": {"x": 1},
        }
    )
    assert config.to_settings() == ConnectionSettings(
        type="snowflake",
        host="h",
        port=1,
        database="d",
        username="u",
        password="1234",
        schema="2024",
        account="a",
        warehouse="w",
        role="r",
        extra_params={"x": 1},
    )


def test_bigquery_may_have_a_project_and_a_dataset() -> None:
    config = ConnectionConfig.model_validate({"type": "bigquery", "project": "acme", "dataset": "shop"})
    assert config.to_settings() == ConnectionSettings(type="bigquery", database="acme", schema="shop")


def test_an_empty_value_is_none() -> None:
    config = ConnectionConfig.model_validate({"type": "postgres", "host": "", "schema": "", "password": ""})
    assert config.to_settings() == ConnectionSettings(type="postgres")


def test_numbers_that_are_meant_as_text_keep_their_spelling(load: Callable[..., LoadedConfig]) -> None:
    text = f"""\
source: {{type: postgres, database: 0123, username: 2024-01-01, password: 1_000, schema: on, host: 1e3, role: 0x1F}}
{TABLES}"""
    settings = load(text).model.source.to_settings()
    assert (settings.database, settings.username, settings.password) == ("0123", "2024-01-01", "1_000")
    assert (settings.schema, settings.host, settings.role) == ("on", "1e3", "0x1F")


def test_a_connection_id_is_enough(load: Callable[..., LoadedConfig]) -> None:
    model = load(f"source: {{conn_id: wh}}\nstorage: {{connection: {{conn_id: results}}}}\n{TABLES}").model
    assert (model.source.conn_id, model.storage.connection.conn_id) == ("wh", "results")
    assert model.source_name == "wh"


def test_a_bare_connection_id_cannot_be_turned_into_settings_without_airflow() -> None:
    with pytest.raises(ConfigError, match="Airflow connection 'wh' can only be looked up where Airflow runs"):
        ConnectionConfig.model_validate({"conn_id": "wh"}).to_settings()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{host: h}", "source: type is missing; name the kind of database, or an Airflow connection with conn_id"),
        ("{type: sqlite}", "source: filepath is missing; sqlite needs the path of its file"),
        ("{type: duckdb, filepath: ''}", "source: filepath is missing; duckdb needs the path of its file"),
        ("{type: postgres, port: 0}", "source.port: 0 is not allowed; it must be at least 1"),
        ("{type: postgres, port: 70000}", "source.port: 70000 is not allowed; it must be at most 65535"),
        ("{type: postgres, port: yes}", "source.port: true is not a number"),
        ("{type: postgres, port: 54.5}", "source.port: 54.5 is not a whole number"),
        ("{type: postgres, host: [a]}", "source.host: a list is not text"),
        ("{type: sqlite, filepath: {a: b}}", "source.filepath: a mapping is not text"),
        (
            "{type: 7}",
            "source.type: '7' is not allowed; "
            "use one of postgres, snowflake, sqlite, mysql, bigquery, redshift, duckdb",
        ),
        (
            "{type: bigquery, project: a, database: b}",
            "source: project and database are two words for the same, with two values; remove one",
        ),
        (
            "{type: postgres, name: 'a/b'}",
            "source.name: 'a/b' is not allowed; use letters, digits, '_', '-' and '.', "
            "beginning with a letter or a digit, at most 63 characters",
        ),
        ("[a]", "source: a list is not allowed; write a mapping, with one 'key: value' line an entry"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(errors: Callable[..., list[str]], source: str, message: str) -> None:
    assert errors(f"source: {source}\n{TABLES}") == [f"c.yml:1: {message}"]


def test_a_storage_in_memory_is_refused_and_a_source_is_not(
    load: Callable[..., LoadedConfig], errors: Callable[..., list[str]]
) -> None:
    source = "source: {type: sqlite, filepath: ':memory:'}\n"
    assert load(source + TABLES).model.source.filepath == ":memory:"
    assert errors(f"{source}storage:\n  connection: {{type: sqlite, database: ':memory:'}}\n{TABLES}") == [
        "c.yml:3: storage.connection: filepath ':memory:' would keep nothing from one task to the next; name a file"
    ]


def test_without_storage_results_go_to_a_file_under_airflow_home(load: Callable[..., LoadedConfig]) -> None:
    def path(environ: dict[str, str], text: str = "") -> str | None:
        return load(f"source: {{type: postgres}}\n{text}{TABLES}", environ).model.storage.connection.filepath

    assert path({"AIRFLOW_HOME": "/opt/airflow"}) == "/opt/airflow/profilemesh.db"
    assert path({"HOME": "/home/me"}) == "/home/me/airflow/profilemesh.db"
    assert path({"AIRFLOW_HOME": "~/af", "HOME": "/home/me"}) == "/home/me/af/profilemesh.db"
    assert path({"AIRFLOW_HOME": "/opt/airflow"}, "storage: {runs_table: r}\n") == "/opt/airflow/profilemesh.db"


@pytest.mark.parametrize("key", ["filepath", "database"])
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_relative_file_is_found_from_here_else_it_belongs_beside_the_configuration(
    load: Callable[..., LoadedConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, key: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "present.db").touch()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", "/home/me")

    def path(written: str) -> str | None:
        source = load(f"source: {{type: {kind}, {key}: {written}}}\n{TABLES}").model.source
        assert source.database is None
        return source.filepath

    assert path("present.db") == str(here / "present.db")
    assert path("absent.db") == str(tmp_path / "absent.db")
    assert path("sub/absent.db") == str(tmp_path / "sub/absent.db")
    assert path("/abs/x.db") == "/abs/x.db"
    assert path("~/x.db") == "/home/me/x.db"
    assert path("n" * 300) == str(tmp_path / ("n" * 300))


def test_an_unknown_home_directory_is_said(errors: Callable[..., list[str]]) -> None:
    assert errors(f"source: {{type: sqlite, filepath: ~nobody_by_that_name/x.db}}\n{TABLES}") == [
        "c.yml:1: source: '~nobody_by_that_name/x.db' needs a home directory, and there is none; write an absolute path"
    ]


def test_the_file_wins_over_the_database_name_of_earlier_versions(load: Callable[..., LoadedConfig]) -> None:
    source = load(f"source: {{type: sqlite, database: main, filepath: /data/shop.db}}\n{TABLES}").model.source
    assert (source.filepath, source.database) == ("/data/shop.db", "main")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"type": "postgres", "database": "shop", "name": "main.wh"}, "main.wh"),
        ({"type": "postgres", "database": "shop", "conn_id": "c"}, "shop"),
        ({"type": "sqlite", "filepath": "/data/flights.v2.db"}, "flights.v2"),
        ({"type": "sqlite", "filepath": "/data/flights.db", "database": "main"}, "flights"),
        ({"type": "duckdb", "database": "/data/x.duckdb"}, "x"),
        ({"type": "sqlite", "filepath": ":memory:"}, "sqlite"),
        ({"conn_id": "wh"}, "wh"),
        ({"type": "bigquery"}, "bigquery"),
        ({"type": "postgres", "database": "my shop"}, "my-shop-34cc49fd"),
        ({"type": "postgres", "database": "Läden"}, "L-den-6c9ad2b0"),
        ({"type": "postgres", "database": "販売"}, "6b838e73"),
    ],
)
def test_a_source_is_called_after_what_tells_it_apart(source: dict[str, str], name: str) -> None:
    assert SourceConfig.model_validate(source).slug == name


@given(st.text(min_size=1))
def test_every_name_becomes_a_slug(text: str) -> None:
    assert is_slug(slugify(text))


@given(st.text(alphabet="ab .-é/", min_size=1, max_size=4), st.text(alphabet="ab .-é/", min_size=1, max_size=4))
def test_two_names_stay_two(one: str, other: str) -> None:
    assert (slugify(one) == slugify(other)) == (one == other)


@pytest.mark.parametrize("environment", ["development", "test", "production", "staging-eu", "2024.q1", "a" * 63])
def test_an_environment_is_any_slug(load: Callable[..., LoadedConfig], smallest: str, environment: str) -> None:
    assert load(f"environment: {environment}\n{smallest}").model.environment == environment


@pytest.mark.parametrize("environment", ["''", "a b", "-a", ".a", "a/b", "prod!", "a" * 64, "ümlaut", '"a\\n"'])
def test_what_is_no_slug_is_no_environment(errors: Callable[..., list[str]], smallest: str, environment: str) -> None:
    (error,) = errors(f"environment: {environment}\n{smallest}")
    assert error.startswith("c.yml:1: environment: '")
    assert "is not allowed; use letters, digits, '_', '-' and '.'" in error


@pytest.mark.parametrize("name", ["results; drop table x", "a.b", "1a", "", "a" * 64, "größe"])
def test_a_table_of_ours_has_a_plain_name(errors: Callable[..., list[str]], smallest: str, name: str) -> None:
    (error,) = errors(f"storage:\n  results_table: '{name}'\n{smallest}")
    assert error.startswith("c.yml:2: storage.results_table: ")
    assert "is not a plain table name; use letters, digits and '_'" in error


def test_our_two_tables_must_differ(errors: Callable[..., list[str]], smallest: str) -> None:
    assert errors(f"storage: {{runs_table: Profilemesh_Results}}\n{smallest}") == [
        "c.yml:1: storage: results_table and runs_table are both 'Profilemesh_Results'; they must differ"
    ]
