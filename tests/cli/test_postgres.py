"""The whole command line on PostgreSQL: schemas, rights, and types that SQLite does not have."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

ODD_NAMES = ['say "hi"', "it's", "a.b", "two words", "50%", "%(x)s", "a:b", ":name", "select", "größe_表", "t" * 63]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def admin(postgres_database):
    """Runs statements as the owner of the database."""
    settings = postgres_database
    url = URL.create(
        "postgresql+psycopg2",
        settings.username,
        settings.password,
        settings.host,
        settings.port,
        settings.database,
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT", future=True)

    def execute(*statements):
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))
            # PostgreSQL reports what a session changed with a delay of seconds, unless told so.
            connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")

    yield execute
    engine.dispose()


@pytest.fixture
def mall(project, postgres_database, admin):
    """The project, with a PostgreSQL database as its source: two schemas that have a table of the same name."""
    admin(
        "CREATE SCHEMA sales",
        "CREATE SCHEMA hr",
        "CREATE TABLE sales.orders (id integer PRIMARY KEY, amount numeric(10, 2))",
        "INSERT INTO sales.orders VALUES (1, 10.50), (2, NULL)",
        "CREATE TABLE hr.orders (id integer PRIMARY KEY)",
        "INSERT INTO hr.orders VALUES (1)",
    )
    configure(project, postgres_database, {"schema": "sales", "table": "orders"}, {"schema": "hr", "table": "orders"})
    return project


def configure(project, settings, *tables, **login):
    names = ("host", "port", "database", "username", "password")
    source = {name: getattr(settings, name) for name in names if getattr(settings, name) is not None}
    project.configure(*tables, source={"name": "mall", "type": "postgres", **source, **login})


def test_the_same_table_name_in_two_schemas_is_two_tables(mall):
    profiled = mall.answer("profile")["profiled"]

    assert [(table["table_key"], table["row_count"]) for table in profiled] == [("sales.orders", 2), ("hr.orders", 1)]
    assert mall.answer("results", "sales.orders")["row_count"] == 2
    ambiguous = mall.run("results", "orders")
    assert ambiguous.exit_code == 2
    assert "ambiguous: it may be hr.orders, sales.orders" in ambiguous.stderr


def test_one_change_profiles_that_table_alone(mall, admin):
    mall.run("profile")
    admin("INSERT INTO hr.orders VALUES (2)")

    document = mall.answer("profile", "--changed")

    assert [profiled["table_key"] for profiled in document["profiled"]] == ["hr.orders"]
    assert [skipped["table_key"] for skipped in document["skipped"]] == ["sales.orders"]
    assert mall.answer("diff") == {"changes": [], "removed": [], "unchanged": 2}


def test_a_table_that_this_login_may_not_read_fails_alone(mall, postgres_database, admin):
    reader = f"reader_{uuid4().hex[:8]}"
    admin(
        f"CREATE ROLE {reader} LOGIN PASSWORD 's3cret-word'",
        f"GRANT USAGE ON SCHEMA sales, hr TO {reader}",
        f"GRANT SELECT ON sales.orders TO {reader}",
    )
    tables = [{"schema": "hr", "table": "orders"}, {"schema": "sales", "table": "orders"}]
    configure(mall, postgres_database, *tables, username=reader, password="s3cret-word")
    try:
        assert mall.run("plan").exit_code == 0
        document = mall.answer("profile", exit_code=1)
    finally:
        admin(f"DROP OWNED BY {reader}", f"DROP ROLE {reader}")

    assert [profiled["table_key"] for profiled in document["profiled"]] == ["sales.orders"]
    assert [failed["table_key"] for failed in document["failed"]] == ["hr.orders"]
    error = document["failed"][0]["error"]
    assert "permission denied" in error or "may not see it" in error
    assert "orders" in error
    assert "s3cret-word" not in error


def test_a_database_that_does_not_exist_is_named(mall, postgres_database):
    configure(mall, postgres_database, {"schema": "sales", "table": "orders"}, database="no_such_database")

    result = mall.run("plan")

    assert result.exit_code == 1
    assert "no_such_database" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_column_that_cannot_be_profiled_is_listed_with_its_type_and_the_others_are_profiled(
    mall, postgres_database, admin
):
    admin("CREATE TABLE sales.events (id integer, body json)", "INSERT INTO sales.events VALUES (1, '{}'), (2, NULL)")
    configure(mall, postgres_database, {"schema": "sales", "table": "events"})

    assert mall.run("profile").exit_code == 0
    columns = mall.answer("results", "events")["columns"]
    text_lines = mall.run("results", "events").stdout.splitlines()

    assert [(column["column"], column["type"]) for column in columns] == [("id", "integer"), ("body", "json")]
    assert columns[0]["metrics"]["max"] == 2
    assert list(columns[1]["errors"]) == ["*"]
    assert "json" in columns[1]["errors"]["*"]
    assert text_lines[-1].startswith("body (json): not profiled: ")


def test_values_that_are_no_numbers_are_left_out_of_what_needs_numbers(mall, postgres_database, admin):
    admin(
        "CREATE TABLE sales.readings (x double precision)",
        "INSERT INTO sales.readings VALUES ('NaN'), ('Infinity'), ('-Infinity'), (1), (3), (NULL)",
    )
    configure(mall, postgres_database, {"schema": "sales", "table": "readings"})
    assert mall.run("profile").exit_code == 0

    (column,) = mall.answer("results", "readings")["columns"]
    assert column["metrics"]["count"] == 6
    assert column["metrics"]["null_count"] == 1
    assert sum(each["count"] for each in column["metrics"]["histogram"]) == 2


def test_odd_names_of_tables_and_columns_are_only_names(mall, postgres_database, admin):
    for name in ODD_NAMES:
        admin(
            f"CREATE TABLE {quoted(name)} ({quoted(name)} integer)",
            f"INSERT INTO {quoted(name)} VALUES (7), (9)",
        )
    configure(mall, postgres_database, *({"schema": "public", "table": name} for name in ODD_NAMES))

    document = mall.answer("profile")

    assert document["failed"] == []
    assert len({profiled["table_key"] for profiled in document["profiled"]}) == len(ODD_NAMES)
    for name, profiled in zip(ODD_NAMES, document["profiled"], strict=True):
        (column,) = mall.answer("results", profiled["table_key"])["columns"]
        assert (column["column"], column["metrics"]["min"], column["metrics"]["max"]) == (name, 7, 9)


def test_a_table_without_a_schema_is_looked_for_as_the_database_does(mall, postgres_database, admin):
    admin("CREATE TABLE plain (id integer)", "INSERT INTO plain VALUES (1), (2)")
    configure(mall, postgres_database, "plain")

    assert mall.answer("profile")["profiled"][0]["table_key"] == "plain"
    assert mall.answer("results", "plain")["row_count"] == 2


def test_the_results_may_be_stored_beside_the_data(mall, postgres_database, admin):
    admin("CREATE SCHEMA profilemesh")
    configure(mall, postgres_database, {"schema": "sales", "table": "orders"})
    connection = {**mall.sections["source"], "schema": "profilemesh"}
    connection.pop("name")
    mall.configure({"schema": "sales", "table": "orders"}, storage={"connection": connection})

    assert mall.run("profile").exit_code == 0
    assert mall.answer("results", "orders")["row_count"] == 2
    assert mall.answer("status")["tables"][0]["state"] == "current"
    assert not mall.store.exists()
