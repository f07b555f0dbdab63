"""Which tables a database is said to have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.core.selection import ListedTable
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError, WarehouseError
from profilemesh_airflow.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.warehouse.databases import Database


def here(database: Database) -> list[tuple[str, str]]:
    """Name and kind of the tables in the database's own schema."""
    return sorted((listed.table, listed.kind) for listed in database.warehouse.tables() if listed.is_default)


def test_tables_and_views_are_listed_in_one_query_with_the_names_they_have(
    database: Database, statements: Callable[..., object]
) -> None:
    names = ["plain", "Mixed Case", "a.b", 'quo"te', "50%", "sqlite", "pg_like"]
    for name in names:
        database.create(name, {"a": "integer"})
    database.run("CREATE VIEW v AS SELECT 1 AS a")
    database.warehouse.tables()

    with statements() as sent:
        found = here(database)

    assert found == sorted([*((name, "table") for name in names), ("v", "view")])
    assert [statement for statement in sent if not statement.startswith(("BEGIN", "START"))] == sent[-1:]


def test_the_catalog_finds_what_is_listed_and_calls_it_the_same(database: Database) -> None:
    database.create("T", {"a": "integer"})
    database.run("CREATE VIEW v AS SELECT 1 AS a")

    listed = [table for table in database.warehouse.tables() if table.is_default]
    refs = {TableRef(table.table, table.schema): table.kind for table in listed}

    assert {ref: info.kind for ref, info in database.warehouse.catalog(list(refs)).items()} == refs


def test_hidden_tables_of_sqlite_are_not_listed(sqlite: Database) -> None:
    sqlite.run(
        "CREATE VIRTUAL TABLE words USING fts5(word)",
        "CREATE TABLE words_of_mine (a)",
        "CREATE TABLE counted (a INTEGER PRIMARY KEY AUTOINCREMENT)",
    )

    assert here(sqlite) == [("counted", "table"), ("words", "virtual table"), ("words_of_mine", "table")]
    assert {table.schema for table in sqlite.warehouse.tables()} == {"main"}


def test_partitions_and_tables_of_the_system_or_a_session_are_not_listed(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE parted (day date) PARTITION BY RANGE (day)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a",
    )
    with postgres.connect() as connection:
        connection.cursor().execute("CREATE TEMPORARY TABLE passing (a int)")
        listed = postgres.warehouse.tables()

    assert here(postgres) == [("m", "materialized view"), ("parted", "partitioned table")]
    assert not {table.schema for table in listed} & {"pg_catalog", "information_schema"}
    assert "passing" not in {table.table for table in listed}


def test_the_default_schema_is_the_sources_or_else_the_logins(postgres: Database) -> None:
    postgres.create("t", {"a": "integer"})
    schema = postgres.settings.schema
    with Warehouse(replace(postgres.settings, schema=None)) as bare:
        by_default = {listed.schema for listed in bare.tables() if listed.is_default}

    assert ListedTable(None, schema, "t", "table", True) in postgres.warehouse.tables()
    assert by_default <= {"public"}


def test_a_database_that_cannot_be_asked_is_an_error_and_not_an_empty_one(postgres: Database) -> None:
    with pytest.raises(WarehouseError, match="no_such_database"):
        postgres.warehouse.tables([None, "no_such_database"])


def test_a_file_has_no_other_databases(sqlite: Database) -> None:
    with pytest.raises(ConfigError, match="remove `database`"):
        sqlite.warehouse.tables(["other"])


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("postgres", "COMMENT ON TABLE t IS 'Tags: critical, 50%'"),
        ("duckdb", "COMMENT ON TABLE t IS 'Tags: critical, 50%'"),
        ("mysql", "ALTER TABLE t COMMENT 'Tags: critical, 50%'"),
    ],
)
def test_tags_are_in_the_comments_of_tables(
    name: str, comment: str, request: pytest.FixtureRequest, statements: Callable[..., Any]
) -> None:
    database: Database = request.getfixturevalue(name)
    for table in ("t", "u"):
        database.create(table, {"a": "integer"})
    database.run(comment)
    infos = [database.info("t"), database.info("u")]

    with statements() as sent:
        tags = database.warehouse.tags(infos)

    assert tags == {TableRef("t"): {"critical", "50%"}, TableRef("u"): frozenset()}
    assert [statement for statement in sent if not statement.startswith(("BEGIN", "START"))] == sent[-1:]


def test_sqlite_has_no_tags(sqlite: Database) -> None:
    sqlite.create("t", {"a": "integer"})
    assert sqlite.warehouse.tags([sqlite.info("t")]) == {TableRef("t"): None}


def test_mysql_tells_when_rows_were_last_written(mysql: Database) -> None:
    mysql.create("t", {"a": "integer"}, [(1,)])
    told = mysql.ask("SELECT unix_timestamp(update_time) FROM information_schema.tables WHERE table_name = 't'"
                     f" AND table_schema = '{mysql.settings.database}'")  # fmt: skip
    assert mysql.info("t").details["modified"] == float(told[0][0])
