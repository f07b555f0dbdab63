from __future__ import annotations

import pytest

from profilemesh_airflow.core.naming import find_table, find_tables, match_tables, task_ids
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import UnknownTableError

REFS = [
    TableRef("orders", "sales"),
    TableRef("orders", "hr"),
    TableRef("users", "sales"),
    TableRef("a.b", "sales"),
    TableRef("b", "a"),
    TableRef("events"),
    TableRef("events", "sales"),
    TableRef("items", "sales", "eu"),
]


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("sales.orders", TableRef("orders", "sales")),
        ("hr.orders", TableRef("orders", "hr")),
        ("users", TableRef("users", "sales")),
        ("sales.a%2Eb", TableRef("a.b", "sales")),
        ("sales.a.b", TableRef("a.b", "sales")),
        ("events", TableRef("events")),
        ("a.b", TableRef("b", "a")),
        ("items", TableRef("items", "sales", "eu")),
        ("sales.items", TableRef("items", "sales", "eu")),
        ("eu.sales.items", TableRef("items", "sales", "eu")),
    ],
)
def test_a_table_is_found_by_its_key_or_by_the_end_of_its_name(name, ref):
    assert find_table(REFS, name) == ref


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("orders", "table 'orders' is ambiguous: it may be hr.orders, sales.orders; give the whole key"),
        ("sales.ordres", "table 'sales.ordres' is not in the plan; did you mean sales.orders"),
        ("usres", r"table 'usres' is not in the plan; did you mean sales.users\?"),
        ("Users", r"table 'Users' is not in the plan; did you mean sales.users\?"),
        ("", "table '' is not in the plan; `profilemesh-airflow plan --offline` lists them"),
        ("qqqq", "table 'qqqq' is not in the plan; `profilemesh-airflow plan --offline` lists them"),
    ],
)
def test_a_name_that_fits_none_or_several_is_refused_with_what_was_probably_meant(name, message):
    with pytest.raises(UnknownTableError, match=message):
        find_table(REFS, name)


def test_several_names_of_one_table_are_one_table():
    found = find_tables(REFS, ["users", "hr.orders", "sales.users"])

    assert found == [TableRef("users", "sales"), TableRef("orders", "hr")]


def test_no_names_are_no_tables():
    assert find_tables(REFS, []) == []


SHOP = [TableRef("orders", "sales"), TableRef("orders", "hr"), TableRef("people", "hr"), TableRef("log", None, "lake")]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], []),
        (["people"], ["hr.people"]),
        (["*orders"], ["sales.orders", "hr.orders"]),
        (["hr.*"], ["hr.orders", "hr.people"]),
        ([{"table": "*"}], ["sales.orders", "hr.orders", "hr.people", "lake..log"]),
        ([{"schema": "s?les", "table": "[op]*"}], ["sales.orders"]),
        ([{"database": "lake", "table": "*"}], ["lake..log"]),
        (["hr.people", {"schema": "sales", "table": "orders"}, "people"], ["sales.orders", "hr.people"]),
    ],
)
def test_patterns_mean_tables_in_the_order_of_the_plan_and_each_once(patterns, expected):
    assert [ref.key for ref in match_tables(SHOP, patterns)] == expected


@pytest.mark.parametrize(
    "pattern", ["orders", "x*", {"table": "x*"}, {"schema": "hr"}, {"table": "people", "shema": "hr"}, {"table": ""}]
)
def test_a_pattern_that_is_ambiguous_or_means_no_table_is_an_error(pattern):
    with pytest.raises(UnknownTableError):
        match_tables(SHOP, [pattern])


def test_task_ids_are_bare_names_until_two_tables_would_meet():
    assert list(task_ids(SHOP).values()) == ["sales_orders", "hr_orders", "people", "log"]
    meeting = [TableRef("a_b"), TableRef("b", "a"), TableRef("b", "c")]
    ids = task_ids(meeting)
    assert len(set(ids.values())) == 3
    assert ids[meeting[2]] == "c_b"
    assert len(task_ids([TableRef("x" * 300)]).popitem()[1]) <= 100
