"""What goes wrong says what, where and how to mend it; and every other table is profiled all the same."""

from __future__ import annotations

import socket

import pytest

LONG_NAME = "t" * 300
ODD_NAMES = [
    'say "hi"',
    "it's",
    "a.b",
    "two words",
    "50%",
    "%(x)s",
    "a:b",
    ":name",
    "select",
    "größe_表",
    "[bold]",
    "semi;colon--",
    LONG_NAME,
]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def test_without_a_configuration_the_message_names_both_ways_to_give_one(project):
    result = project.run("plan")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: no config.yml in {project.folder}; name the configuration with -c/--config or PROFILEMESH_CONFIG\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        ("environment: [unclosed", ":"),
        ("", "is empty"),
        ("- a list", "is a list at the top"),
        ("environment: test\nsource: {type: sqlite, filepath: shop.db}\nprofiling: {tables: []}", "lists no table"),
        ("environment: test\nsource: {type: oracle}\nprofiling: {tables: [{table: a}]}", "'oracle'"),
        (
            "environment: t\nsource: {type: sqlite, filepath: shop.db}\nprofiling: {tables: [{table: a}, {table: a}]}",
            "'a' is listed a second time",
        ),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_with_file_and_reason(project, content, message):
    path = project.folder / "other.yml"
    if content is not None:
        path.write_text(content)

    result = project.run("profile", "-c", str(path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert all(line.startswith(f"error: {path}") for line in result.stderr.splitlines())
    assert message in result.stderr
    assert project.files().keys() == ({path.name} if content is not None else set())


def test_a_configuration_is_found_by_the_environment_variable_too(shop, monkeypatch):
    moved = shop.config.rename(shop.folder / "elsewhere.yml")
    monkeypatch.setenv("PROFILEMESH_CONFIG", str(moved))

    result = shop.run("plan")

    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", ["plan", "diff", "profile"])
def test_a_database_that_cannot_be_reached_is_named(shop, command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = {"type": "postgres", "host": "127.0.0.1", "port": port, "database": "shop", "password": "s3cret-word"}
    shop.configure("orders", source=source)

    result = shop.run(command, "--debug")

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"postgres database shop at 127.0.0.1:{port}" in result.stderr.splitlines()[-1]
    assert "s3cret-word" not in result.stderr


def test_a_sqlite_file_that_is_not_there_is_named_and_not_made(shop):
    shop.source.unlink()

    result = shop.run("profile")

    assert result.exit_code == 1
    assert str(shop.source) in result.stderr
    assert not shop.source.exists()


def test_a_file_that_is_no_database_is_named(shop):
    shop.source.write_bytes(b"not a database, for all that it has many bytes" * 50)

    result = shop.run("plan")

    assert result.exit_code == 1
    assert str(shop.source) in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_store_that_cannot_be_made_is_named(shop):
    blocked = shop.config / "store.db"
    shop.configure("orders", storage={"connection": {"type": "sqlite", "filepath": str(blocked)}})

    result = shop.run("profile")

    assert (result.exit_code, result.stdout) == (1, "")
    assert str(shop.config) in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["diff", "profile", "status"])
def test_a_store_that_is_no_database_is_named_and_left_alone(shop, command):
    shop.store.write_bytes(b"somebody else's file " * 100)
    before = shop.files()

    result = shop.run(command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert str(shop.store) in result.stderr
    assert shop.files() == before


def test_a_missing_table_is_a_warning_in_the_plan_and_fails_its_own_profile_only(shop):
    shop.configure("ghost", "orders")

    assert "ghost" in [table["table_key"] for table in shop.answer("plan")["tables"]]
    document = shop.answer("profile", exit_code=1)
    assert [failed["table_key"] for failed in document["failed"]] == ["ghost"]
    assert [profiled["table_key"] for profiled in document["profiled"]] == ["orders"]


def test_an_empty_table_has_a_profile_of_nothing(shop):
    shop.sql("DELETE FROM users")
    shop.run("profile")

    document = shop.answer("results", "users")
    assert document["row_count"] == 0
    for column in document["columns"]:
        assert (column["errors"], column["metrics"]["count"], column["metrics"]["null_count"]) == ({}, 0, 0)
    assert document["columns"][0]["metrics"]["max"] is None


def test_a_column_of_nothing_but_null_is_profiled(shop):
    shop.sql("UPDATE items SET price = NULL")
    shop.run("profile")

    column = shop.answer("results", "items")["columns"][1]
    assert column["errors"] == {}
    assert (column["metrics"]["null_percent"], column["metrics"]["distinct_count"]) == (100.0, 0)
    assert column["metrics"]["min"] is None


def test_infinite_values_are_profiled_and_the_answer_stays_json(shop):
    shop.sql("INSERT INTO items VALUES (2, 9e999), (3, -9e999), (4, 2.5)")
    assert shop.run("profile").exit_code == 0

    column = shop.answer("results", "items")["columns"][1]
    assert column["metrics"]["count"] == 4
    assert sum(each["count"] for each in column["metrics"]["histogram"]) == 2
    assert "Infinity" not in shop.run("results", "items", "--format", "json").stdout


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: name[:20])
def test_an_odd_name_of_table_and_column_is_only_a_name(shop, name):
    column = "c" if name == LONG_NAME else name
    shop.sql(
        f"CREATE TABLE {quoted(name)} (id INTEGER PRIMARY KEY, {quoted(column)} INTEGER)",
        f"INSERT INTO {quoted(name)} VALUES (1, 7), (2, 9)",
    )
    shop.configure(name, "orders")

    document = shop.answer("profile")

    key = document["profiled"][0]["table_key"]
    assert len(document["profiled"]) == 2
    assert len(key) <= 250
    found = shop.answer("results", key)
    assert found == shop.answer("results", name)
    assert [column["column"] for column in found["columns"]] == ["id", column]
    assert (found["columns"][1]["metrics"]["min"], found["columns"][1]["metrics"]["max"]) == (7, 9)
    assert shop.answer("diff") == {"changes": [], "removed": [], "unchanged": 2}
    for command in (["plan"], ["diff"], ["status"], ["results", key], ["profile"]):
        assert shop.run(*command).exit_code == 0


def test_all_odd_names_at_once_are_as_many_tables(shop):
    shop.sql(*(f"CREATE TABLE {quoted(name)} (id INTEGER)" for name in ODD_NAMES))
    shop.configure(*ODD_NAMES)

    document = shop.answer("profile")

    assert len({profiled["table_key"] for profiled in document["profiled"]}) == len(ODD_NAMES)
    assert document["failed"] == []


def test_two_spellings_of_one_sqlite_table_are_two_tables_with_their_own_results(shop):
    shop.configure({"schema": "main", "table": "orders", "metrics": ["count"]}, "orders")

    assert [p["table_key"] for p in shop.answer("profile")["profiled"]] == ["main.orders", "orders"]
    assert list(shop.answer("results", "main.orders")["columns"][0]["metrics"]) == ["count"]
    assert "mean" in shop.answer("results", "orders")["columns"][0]["metrics"]
