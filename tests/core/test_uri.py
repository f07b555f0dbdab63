from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.core.uri import (
    KINDS,
    MAX_ID_LENGTH,
    alias_name,
    profiling_dag_id,
    table_task_id,
    table_uri,
)

PROD = Identity("prod", "shop")

SLUGS = st.text("ab.-_", min_size=1, max_size=3)
NAMES = st.text(st.sampled_from("ab.%:/~_- é") | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
PLACES = st.tuples(st.builds(Identity, SLUGS, SLUGS), st.builds(TableRef, NAMES, st.none() | NAMES, st.none() | NAMES))


@pytest.mark.parametrize(
    ("kind", "ref", "uri"),
    [
        ("change", TableRef("orders", "sales"), "profilemesh://prod/shop/change/sales/orders"),
        ("profile", TableRef("orders", "sales"), "profilemesh://prod/shop/profile/sales/orders"),
        ("drift", TableRef("orders", "sales"), "profilemesh://prod/shop/drift/sales/orders"),
        ("change", TableRef("orders"), "profilemesh://prod/shop/change/orders"),
        ("change", TableRef("orders", "sales", "eu"), "profilemesh://prod/shop/change/eu/sales/orders"),
        ("change", TableRef("orders", None, "eu"), "profilemesh://prod/shop/change/eu//orders"),
        ("change", TableRef("drift", "change"), "profilemesh://prod/shop/change/change/drift"),
        ("change", TableRef("a/b.c", "x?y#z"), "profilemesh://prod/shop/change/x%3Fy%23z/a%2Fb%2Ec"),
        ("change", TableRef("größe"), "profilemesh://prod/shop/change/gr%C3%B6%C3%9Fe"),
    ],
)
def test_a_uri_says_environment_source_kind_and_table(kind, ref, uri):
    assert table_uri(PROD, kind, ref) == uri


def test_a_kind_that_does_not_exist_is_refused_and_the_kinds_are_listed():
    with pytest.raises(ValueError, match="asset kind 'plan' is not one of change, profile, drift"):
        table_uri(PROD, "plan", TableRef("orders"))


@given(PLACES, PLACES, st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_two_tables_or_kinds_never_share_a_uri(one, other, kind, other_kind):
    same = (one, kind) == (other, other_kind)
    assert (table_uri(one[0], kind, one[1]) == table_uri(other[0], other_kind, other[1])) == same


@given(PLACES, st.sampled_from(KINDS))
def test_a_uri_is_what_airflow_takes_for_an_asset(place, kind):
    uri = table_uri(*place[:1], kind, place[1])

    assert re.fullmatch(r"profilemesh://[A-Za-z0-9_.~%/-]+", uri)
    assert not uri.endswith("/")


def test_the_uri_of_an_endless_name_stays_within_airflows_limit():
    ref = TableRef("é" * 2000, "é" * 2000, "é" * 2000)
    uri = table_uri(Identity("e" * 63, "s" * 63), "profile", ref)

    assert len(uri) < 1500
    assert uri != table_uri(Identity("e" * 63, "s" * 63), "profile", TableRef("é" * 2001, ref.schema, ref.database))


def test_the_alias_belongs_to_one_environment_and_source():
    assert alias_name(PROD) == "profilemesh://prod/shop/changes"


@pytest.mark.parametrize(
    ("identity", "ref", "dag_id"),
    [
        (PROD, TableRef("orders", "sales"), "pm.prod.shop.sales.orders"),
        (PROD, TableRef("orders"), "pm.prod.shop.orders"),
        (PROD, TableRef("a-b"), "pm.prod.shop.a-b"),
        (PROD, TableRef("a_b"), "pm.prod.shop.a_b"),
        (PROD, TableRef("a b"), "pm.prod.shop.a_20b__"),
        (PROD, TableRef("größe"), "pm.prod.shop.gr_C3_B6_C3_9Fe__"),
        (PROD, TableRef("a~b"), "pm.prod.shop.a_b__"),
        (Identity("prod", "shop.eu"), TableRef("orders"), "pm.prod.shop.eu.orders__"),
        (Identity("prod.eu", "shop"), TableRef("orders"), "pm.prod.eu.shop.orders__"),
    ],
)
def test_a_dag_id_is_readable_and_carries_a_hash_only_where_two_tables_could_meet(identity, ref, dag_id):
    found = profiling_dag_id("pm", identity, ref)

    if dag_id.endswith("__"):
        assert re.fullmatch(re.escape(dag_id) + "[0-9a-f]{8}", found)
    else:
        assert found == dag_id


@given(PLACES, PLACES)
def test_two_tables_never_share_a_dag_id(one, other):
    assert (profiling_dag_id("pm", *one) == profiling_dag_id("pm", *other)) == (one == other)


@given(PLACES)
def test_a_dag_id_is_what_airflow_takes_for_one(place):
    dag_id = profiling_dag_id("pm", *place)

    assert re.fullmatch(r"[A-Za-z0-9_.-]+", dag_id)
    assert len(dag_id) <= MAX_ID_LENGTH


def test_a_dag_id_too_long_for_airflow_is_cut_to_its_limit():
    one, other = (profiling_dag_id("pm", PROD, TableRef("t" * length)) for length in (245, 246))

    assert len(one) == len(other) == MAX_ID_LENGTH
    assert one != other


@given(PLACES, PLACES)
def test_two_tables_never_share_a_task_id_and_airflow_takes_it(one, other):
    ids = [table_task_id("ring", place[1]) for place in (one, other)]

    assert (ids[0] == ids[1]) == (one[1] == other[1])
    assert all(re.fullmatch(r"ring\.[A-Za-z0-9_.-]{1,245}", task_id) for task_id in ids)


def test_a_task_id_is_the_tables_key_where_airflow_takes_that():
    assert table_task_id("ring", TableRef("orders", "sales")) == "ring.sales.orders"
