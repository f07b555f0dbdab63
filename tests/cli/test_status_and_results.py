from __future__ import annotations

import json

import pytest


def test_every_state_is_listed_with_its_reasons(shop):
    shop.configure("orders", "users", "ghost", airflow={"max_attempts": 1})
    shop.run("profile", "orders", "ghost")

    result = shop.run("status")

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split("  ")[0] == "table"
    assert lines[1].split()[:3] == ["orders", "current", "0"]
    assert lines[2].split()[:5] == ["users", "open", "added", "0", "never"]
    assert lines[3].split()[:2] == ["ghost", "parked"]
    assert "table ghost was not found" in lines[3]
    assert lines[4] == "1 current, 1 open, 1 parked"


def test_a_status_reads_the_store_and_not_the_profiled_database(shop):
    shop.run("profile")
    shop.source.unlink()

    assert {table["state"] for table in shop.answer("status")["tables"]} == {"current"}
    assert not shop.source.exists()


def test_results_show_a_row_a_column(shop):
    shop.run("profile", "orders")

    lines = shop.run("results", "orders").stdout.splitlines()

    assert lines[0].startswith("orders: 3 rows, profiled at 20")
    assert " UTC, run " in lines[0]
    headers = ["column", "type", "nulls", "distinct", "min", "max", "mean", "stddev", "lengths", "histogram"]
    assert lines[1].split() == headers
    assert [line.split()[:2] for line in lines[2:]] == [["id", "INTEGER"], ["amount", "REAL"], ["note", "TEXT"]]
    amount = [cell.strip() for cell in lines[3].split("  ") if cell.strip()]
    assert amount[2:8] == ["1 (33.3 %)", "2 (66.7 %)", "7", "10.5", "8.75", "2.47487"]


def test_results_show_only_the_metrics_that_were_computed(shop):
    shop.configure({"table": "orders", "metrics": ["count", "max"]})
    shop.run("profile")

    assert shop.run("results", "orders").stdout.splitlines()[1].split() == ["column", "type", "max"]


def test_results_of_a_table_that_was_never_profiled_are_an_error(shop):
    result = shop.run("results", "orders")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: table orders was not profiled yet; `profilemesh-airflow status` says why\n"


def test_a_bare_name_is_enough_where_only_one_table_has_it(shop):
    shop.configure({"schema": "main", "table": "users"}, {"schema": "main", "table": "orders"}, "orders")
    shop.run("profile")

    assert shop.answer("results", "users")["table_key"] == "main.users"
    assert shop.answer("results", "main.orders")["table_key"] == "main.orders"
    assert shop.answer("results", "orders")["table_key"] == "orders"


def test_the_format_of_the_results_is_that_of_the_documentation(shop):
    shop.run("profile", "orders")

    document = json.loads(shop.run("results", "orders", "--format", "json").stdout)

    amount = document["columns"][1]
    assert (amount["column"], amount["type"], amount["errors"]) == ("amount", "REAL", {})
    metrics = amount["metrics"]
    histogram = metrics.pop("histogram")
    assert metrics == {
        "count": 3,
        "null_count": 1,
        "null_percent": pytest.approx(100 / 3),
        "distinct_count": 2,
        "distinct_percent": pytest.approx(200 / 3),
        "min": 7.0,
        "max": 10.5,
        "mean": 8.75,
        "stddev": pytest.approx(2.4748737),
    }
    assert [each.keys() for each in histogram] == [{"bin_start", "bin_end", "count"}] * 10
    assert (histogram[0]["bin_start"], histogram[-1]["bin_end"]) == (7.0, 10.5)
    assert sum(each["count"] for each in histogram) == 2
