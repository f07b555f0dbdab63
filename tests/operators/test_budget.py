"""The budget of a refresh, in the operator that records it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.operators.tasks import refresh, ring


@pytest.fixture
def budgeted(shop):
    """Five tables, of which a refresh may ring two."""
    shop.run("".join(f"CREATE TABLE t{number} (id INTEGER);" for number in range(5)))
    text = Path(shop.config).read_text().replace("{table: orders}, {table: customers}", TABLES)
    Path(shop.config).write_text(text + "airflow: {budget: {tables: 2}}\n")
    return shop


TABLES = ", ".join(f"{{table: t{number}}}" for number in range(5))


def rung(shop):
    return [event.key for chunk in refresh(shop) for event in ring(shop, chunk)]


def after_ringing(told):
    """What the task logged, from its count of doorbells on."""
    lines = told()
    return lines[next(number for number, line in enumerate(lines) if line.startswith("ringing")) :]


def test_a_refresh_rings_what_its_budget_allows_and_the_next_ones_ring_the_rest(budgeted):
    assert [sorted(rung(budgeted)) for _ in range(4)] == [["t0", "t1"], ["t2", "t3"], ["t4"], []]


def test_the_log_says_how_many_are_rung_and_who_waits_in_which_order(budgeted, told):
    refresh(budgeted)

    assert after_ringing(told) == [
        "ringing for 2 table(s)",
        "airflow.budget is spent: 3 table(s) wait for the next refresh, in this order",
        "1. t2, deferred 1 time(s)",
        "2. t3, deferred 1 time(s)",
        "3. t4, deferred 1 time(s)",
    ]


def test_a_long_queue_is_counted_and_not_listed(budgeted, told, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.operators.refresh.SHOWN_DEFERRED", 1)
    refresh(budgeted)

    assert after_ringing(told)[-2:] == [
        "1. t2, deferred 1 time(s)",
        "and 2 more; `profilemesh-airflow status` has them all",
    ]


def test_nobody_waits_where_the_budget_suffices(budgeted, told):
    Path(budgeted.config).write_text(Path(budgeted.config).read_text().replace("tables: 2", "tables: 5"))

    refresh(budgeted)

    assert after_ringing(told) == ["ringing for 5 table(s)"]
