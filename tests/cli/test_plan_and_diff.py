from __future__ import annotations

import json

import pytest


def test_a_plan_lists_every_table_in_the_order_of_the_configuration(shop):
    result = shop.run("plan")

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "3 tables of source shop, environment test"
    assert lines[1].split() == ["table", "metrics", "partition", "sampling", "settings", "schema", "data"]
    assert [line.split()[0] for line in lines[2:]] == ["orders", "users", "items"]
    assert "unknown" not in result.stdout
    assert result.stderr == ""


def test_a_plan_shows_what_is_different_for_a_table(shop):
    shop.configure(
        {
            "table": "orders",
            "metrics": ["mean", "count"],
            "partition": {"key": "day", "strategy": "recent_n", "recent_n": 7},
            "sampling": {"enabled": True, "fraction": 0.25, "max_rows": 10},
        },
        "users",
    )
    row = shop.run("plan", "--offline").stdout.splitlines()[2]

    assert row.split("  ")[1:] != []
    assert "count, mean  recent_n 7 of day  random 25 %, at most 10 rows" in row
    assert row.endswith("unknown  unknown")


def test_an_offline_plan_reads_no_database(shop):
    online = shop.answer("plan")["tables"]
    shop.source.unlink()

    offline = shop.answer("plan", "--offline")["tables"]

    assert [table["fingerprint"]["settings"] for table in offline] == [
        table["fingerprint"]["settings"] for table in online
    ]
    assert {(table["fingerprint"]["schema"], table["fingerprint"]["data"]) for table in offline} == {(None, None)}
    assert not shop.source.exists()


def test_a_warning_is_on_stderr_and_in_a_plan_as_json_in_the_document(shop):
    shop.configure("orders", "ghost")

    as_text, as_json = shop.run("plan"), shop.run("plan", "--format", "json")

    (warning,) = json.loads(as_json.stdout)["warnings"]
    assert warning.startswith(f"table ghost was not found in sqlite file {shop.source}")
    assert (as_text.stderr, as_json.stderr) == (f"warning: {warning}\n", "")


def test_a_diff_says_of_every_change_why(shop):
    shop.run("profile", "users", "items")
    shop.configure("orders", {"table": "users", "metrics": ["count"]})
    shop.sql("INSERT INTO users VALUES (3, 'Edsger')", "ALTER TABLE users ADD COLUMN email TEXT")

    lines = shop.run("diff").stdout.splitlines()

    assert lines[0].split() == ["table", "why"]
    assert lines[1] == "orders  added"
    assert lines[2].startswith("users   settings: metrics [")
    assert "; schema: email none -> TEXT; data: version " in lines[2]
    assert lines[3] == "items   removed"
    assert lines[4:] == ["2 changed, 1 removed"]


def test_a_diff_without_a_difference_is_one_line(shop):
    shop.run("profile")

    assert shop.run("diff").stdout == "3 unchanged\n"


def test_a_diff_of_some_tables_says_nothing_of_the_others(shop):
    document = shop.answer("diff", "users", "orders")

    assert [change["table_key"] for change in document["changes"]] == ["users", "orders"]
    assert document["removed"] == []


@pytest.mark.parametrize("output", ["text", "json"])
def test_exit_code_3_says_that_something_changed_and_only_when_asked(shop, output):
    assert shop.run("diff", "--format", output).exit_code == 0
    assert shop.run("diff", "--exit-code", "--format", output).exit_code == 3

    shop.run("profile")
    assert shop.run("diff", "--exit-code", "--format", output).exit_code == 0

    shop.configure("orders", "users")
    assert shop.run("diff", "--exit-code", "--format", output).exit_code == 3


def test_a_table_that_nobody_lists_is_bad_usage_with_the_nearest_name(shop):
    result = shop.run("diff", "user")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: table 'user' is not in the plan; did you mean users?\n"


@pytest.mark.parametrize("command", [("plan",), ("plan", "--offline"), ("diff",), ("diff", "orders"), ("status",)])
def test_a_look_makes_no_file(shop, command):
    before = shop.files()

    assert shop.run(*command).exit_code == 0
    assert shop.files() == before


@pytest.mark.parametrize(
    "command", [("plan",), ("diff",), ("diff", "orders", "--exit-code"), ("status",), ("results", "users")]
)
def test_a_look_changes_no_byte_of_the_store(shop, command):
    shop.run("profile")
    shop.sql("INSERT INTO orders VALUES (9, 1, 'x')")
    before = shop.files()

    assert shop.run(*command).exit_code in (0, 3)
    assert shop.files() == before
