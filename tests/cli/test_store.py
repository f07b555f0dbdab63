from __future__ import annotations

import pytest

from tests.earlier import AMOUNT, earlier_in

RENAMES = {
    "profilemesh_runs": "profilemesh_runs_legacy",
    "profilemesh_results": "profilemesh_results_legacy",
    "profilemesh_runs_airflow": "profilemesh_runs",
    "profilemesh_results_airflow": "profilemesh_results",
}


@pytest.fixture
def old_shop(shop):
    """The shop, profiled by the earlier integration, once with a retry, and with rows that say too little."""
    earlier = earlier_in(shop.store)
    for minute in ("00", "05"):
        earlier.profile("old", "orders", {("amount", "REAL"): AMOUNT}, schema=None, at=f"2024-05-01 10:{minute}:00")
    for number in range(30):
        earlier.metric(f"lost \x1b{number:02}", "orders", "id", "INTEGER", "count", "3", schema=None)
    return shop


def test_an_upgrade_makes_the_tables_once(shop):
    first = shop.run("store", "upgrade")
    second = shop.run("store", "upgrade")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.startswith(f"sqlite file {shop.store}: schema none -> ")
    assert second.stdout.endswith(", up to date\n")


def test_an_upgrade_as_json_says_before_and_after(shop):
    document = shop.answer("store", "upgrade")

    assert list(document) == ["store", "before", "after", "earlier_results", "adopted"]
    assert (document["store"], document["before"]) == (f"sqlite file {shop.store}", None)
    assert shop.answer("store", "upgrade")["before"] == document["after"]


def test_a_store_that_must_not_be_made_by_itself_is_made_by_an_upgrade(shop):
    storage = {**shop.sections["storage"], "create_tables": False}
    shop.configure("orders", storage=storage)

    refused = shop.run("profile")
    assert refused.exit_code == 1
    assert "run `profilemesh-airflow store upgrade`" in refused.stderr

    assert shop.run("store", "upgrade").exit_code == 0
    assert shop.run("profile").exit_code == 0


def test_results_of_the_earlier_integration_are_announced_and_left_alone(old_shop):
    for _ in range(2):
        lines = old_shop.run("store", "upgrade").stdout.splitlines()
        assert lines[1] == "the earlier integration's results are here: 1 run with 50 metric rows"
        assert "`store upgrade --adopt` would" in lines[2]
        assert lines[3:] == [f"  rename {present} to {name}" for present, name in RENAMES.items()]

    document = old_shop.answer("store", "upgrade")
    assert document["earlier_results"] == {"runs": 1, "metric_rows": 50, "renames": RENAMES}
    assert document["adopted"] is None


def test_an_adoption_says_what_it_did(old_shop):
    result = old_shop.run("store", "upgrade", "--adopt")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1:5] == [
        "adopted from the earlier integration: 1 run with 10 metric rows",
        "not copied, since a retry of the same run wrote them anew: 10 rows",
        "not copied, since they cannot be understood: 30 rows",
        "  run lost \\x1b00 of orders: 1 row: no run row says which environment it is of",
    ]
    assert lines[24] == "  and 10 more; --format json lists all"
    assert lines[25:] == [f"renamed {former} to {name}" for former, name in RENAMES.items()]

    again = old_shop.run("store", "upgrade", "--adopt")
    assert again.exit_code == 0
    assert again.stdout.splitlines()[1:] == [
        "nothing to adopt: no tables of the earlier integration have the configured names"
    ]
    assert len(old_shop.run("store", "upgrade").stdout.splitlines()) == 1


def test_an_adoption_as_json_lists_everything(old_shop):
    document = old_shop.answer("store", "upgrade", "--adopt")

    assert document["earlier_results"] is None
    adopted = document["adopted"]
    assert (adopted["runs"], adopted["metric_rows"], adopted["repeated"]) == (1, 10, 10)
    assert adopted["renamed"] == RENAMES
    assert [left["run_id"] for left in adopted["left_out"]] == [f"lost \x1b{number:02}" for number in range(30)]
    assert adopted["left_out"][0] == {
        "run_id": "lost \x1b00",
        "table": "orders",
        "rows": 1,
        "why": "no run row says which environment it is of",
    }
    assert old_shop.answer("store", "upgrade", "--adopt")["adopted"] is None


def test_results_say_that_they_are_of_the_earlier_integration_before_and_after_an_adoption(old_shop):
    text, document = old_shop.run("results", "orders").stdout, old_shop.answer("results", "orders")

    head, columns, amount = text.splitlines()
    assert head == "orders: 3 rows, profiled at 2024-05-01 10:00:00 UTC, run old, by the earlier integration"
    assert columns.split() == ["column", "type", "nulls", "distinct", "min", "max", "mean", "stddev", "histogram"]
    assert amount.split() == ["amount", "REAL", "1", "(33.3", "%)", "2", "(66.7", "%)", "7", "10.5", "8.75", "██"]
    assert document["origin"] == "earlier integration"

    old_shop.run("store", "upgrade", "--adopt")
    assert old_shop.run("results", "orders").stdout == text
    assert old_shop.answer("results", "orders") == document

    old_shop.run("profile", "orders")
    assert "earlier" not in old_shop.run("results", "orders").stdout
    assert old_shop.answer("results", "orders")["origin"] == "profilemesh-airflow"


def test_values_that_the_earlier_integration_kept_as_mere_text_are_shown(shop):
    odd = {"histogram": "{broken", "null_percent": "nan", "max": "a\x1b[31m"}
    columns = {("amount", "REAL"): odd, ("note", "TEXT"): {"error": "boom\nagain"}}
    earlier_in(shop.store).profile("old", "orders", columns, schema=None, row_count=None)

    lines = shop.run("results", "orders").stdout.splitlines()

    assert lines[0].startswith("orders: unknown number of rows, profiled at ")
    assert lines[2].split() == ["amount", "REAL", "nan", "a\\x1b[31m", "{broken"]
    assert lines[4] == "note (TEXT): not profiled: boom\\nagain"
