from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def moved(shop):
    """Three tables: one drifted, one did not, one was profiled once."""
    shop.configure("orders", "users", "items", drift_detection={"absolute_threshold": {"low_threshold": 1}})
    shop.run("profile", "orders", "users")
    shop.sql("UPDATE orders SET amount = amount * 1.1 WHERE amount > 8", "ALTER TABLE orders ADD COLUMN extra TEXT")
    shop.run("profile")
    return shop


def test_a_row_a_finding_the_worst_first_then_how_many_tables_drifted(moved):
    result = moved.run("drift")

    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[0] == ["table", "drift", "of", "before -> after", "measure"]
    assert ["orders", "low", "amount.max", "10.5 -> 11.55", "10 %"] in lines
    assert ["orders", "low", "extra.column", "none -> TEXT"] in lines
    order = [line[1] for line in lines[1:-1]]
    assert order == sorted(order, key=["high", "medium", "low"].index)
    assert lines[-1] == ["1 with high drift, 1 without drift, 1 not compared"]


def test_the_document_has_everything(moved):
    tables = moved.answer("drift", "orders")["tables"]

    (report,) = tables
    assert (report["table_key"], report["severity"], report["runs_compared"]) == ("orders", "high", 1)
    assert report["drifted"] == len(report["findings"])
    assert {"amount", "extra"} == {finding["column"] for finding in report["findings"]}


def test_what_was_not_looked_at_is_told(moved):
    moved.configure("orders", drift_detection={"strategy": "standard_deviation"})

    lines = moved.run("drift", "orders").stdout.splitlines()

    assert "orders: standard_deviation needs 3 earlier runs, and there are 1: it says nothing yet" in lines


@pytest.mark.parametrize(("table", "code"), [("orders", 3), ("users", 0), ("items", 0)])
def test_the_exit_code_tells_of_drift_where_it_is_asked_to(moved, table, code):
    assert moved.run("drift", table, "--exit-code").exit_code == code
    assert moved.run("drift", table).exit_code == 0


def test_without_a_profile_there_is_nothing_to_compare(shop):
    assert shop.run("drift").stdout == "no table was profiled yet\n"
    assert shop.answer("drift") == {"tables": []}
    result = shop.run("drift", "orders")
    assert (result.exit_code, result.stderr[:46]) == (1, "error: table orders was not profiled yet; `pro")


def test_a_strategy_that_is_not_built_is_bad_configuration(shop):
    shop.configure("orders", drift_detection={"strategy": "ml_based"})
    shop.run("profile")

    assert shop.run("drift").exit_code == 2


def test_looking_writes_nothing(moved):
    before = moved.files()
    moved.run("drift")

    assert moved.files() == before


def test_drift_is_told_to_the_hooks_when_that_is_asked_for(shop):
    shop.configure("orders", hooks={"hooks": [{"type": "sql", "events": ["drift_detected"]}]})
    shop.run("profile")
    shop.sql("DELETE FROM orders WHERE id > 1")
    shop.run("profile")

    def told():
        with closing(sqlite3.connect(shop.store)) as connection:
            return [key for (key,) in connection.execute("SELECT table_key FROM profilemesh_events")]

    before, _ = told(), shop.run("drift")
    silent, _ = told(), shop.run("drift", "--notify")
    assert (before, silent, told()) == ([], [], ["orders"])


def test_a_hook_that_fails_is_a_message_and_no_failure_of_the_command(shop):
    shop.configure("orders", hooks={"post_profiling": "no_such_module:tell"})
    result = shop.run("profile")
    assert result.exit_code == 0
    assert "error: hooks.post_profiling (no_such_module:tell) could not be told: " in result.stderr
