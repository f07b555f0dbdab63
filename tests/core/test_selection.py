"""Which tables patterns find, against an independent reading of the same rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.conditions import Conditions, Facts
from profilemesh_airflow.core.selection import ListedTable, Names, Selection, Selector, compile_pattern
from profilemesh_airflow.core.table import TableRef


def pattern(table="*", schema=None, **kwargs):
    schemas = Names((compile_pattern(schema),)) if schema else Names()
    tables = Names((compile_pattern(table),), kwargs.pop("excluded", ()))
    return Selector(f"{schema}/{table}", tables, schemas, in_any_schema=schema is not None, **kwargs)


def listed(*names, kind="table", database=None, default="public"):
    found = [name.rpartition(".") for name in names]
    return [
        ListedTable(database, schema or default, table, kind, (schema or default) == default)
        for schema, _, table in found
    ]


def keys(selection, tables):
    return [ref.key for ref in selection.find(tables).refs]


@pytest.mark.parametrize(
    ("text", "pattern_type", "name", "matches"),
    [
        ("*", "wildcard", "", True),
        ("ord*", "wildcard", "orders", True),
        ("ord*", "wildcard", "old_orders", False),
        ("ord", "wildcard", "orders", False),
        ("ORD*", "wildcard", "orders", False),
        ("t?", "wildcard", "t1", True),
        ("t?", "wildcard", "t12", False),
        ("t[12]", "wildcard", "t2", True),
        ("t[!12]", "wildcard", "t2", False),
        ("a.b", "wildcard", "aXb", False),
        ("a[*]", "wildcard", "a*", True),
        ("*", "wildcard", "two\nlines", True),
        ("ord", "regex", "orders", True),
        ("ord$", "regex", "orders", False),
        ("(?i)ORD.*", "regex", "orders", True),
        ("rd", "regex", "orders", False),
    ],
)
def test_a_wildcard_is_about_the_whole_name_and_a_regular_expression_about_its_beginning(
    text, pattern_type, name, matches
):
    assert bool(compile_pattern(text, pattern_type).match(name)) is matches


def test_what_is_no_regular_expression_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"'\*_tmp' is not a regular expression: nothing to repeat"):
        compile_pattern("*_tmp", "regex")


def test_a_pattern_without_a_schema_finds_the_default_schemas_tables_under_bare_names():
    assert keys(Selection([pattern()]), listed("a", "sales.b")) == ["a"]


def test_a_pattern_with_a_schema_finds_them_under_their_whole_names():
    tables = listed("a", "sales.b", "sales2.c")

    assert keys(Selection([pattern(schema="sales")]), tables) == ["sales.b"]
    assert keys(Selection([pattern(schema="sales*")]), tables) == ["sales.b", "sales2.c"]
    assert keys(Selection([pattern(schema="*")]), tables) == ["public.a", "sales.b", "sales2.c"]


def test_a_table_of_two_spellings_is_found_once_by_the_narrower_pattern():
    narrow, broad = pattern("a*"), pattern(schema="*", breadth=2)
    for entries in ([narrow, broad], [broad, narrow]):
        assert set(keys(Selection(entries), listed("a", "b"))) == {"a", "public.b"}


def test_of_equally_broad_patterns_the_first_counts():
    selection = Selection([pattern("a*"), pattern("*b")])

    assert [selection.position(TableRef(name)) for name in ("ab", "ac", "cb", "cc")] == [0, 0, 1, None]


def test_a_listed_table_beats_every_pattern_and_stays_where_no_database_has_it():
    selection = Selection([pattern(), TableRef("b"), TableRef("gone")])

    assert keys(selection, listed("c", "b", "a")) == ["a", "c", "b", "gone"]
    assert selection.position(TableRef("b")) == 1


def test_a_pattern_is_about_tables_unless_it_says_otherwise():
    tables = [*listed("t"), *listed("p", kind="partitioned table"), *listed("v", kind="view")]
    tables += [*listed("m", kind="materialized view"), *listed("f", kind="foreign table")]

    assert keys(Selection([pattern()]), tables) == ["p", "t"]
    assert keys(Selection([pattern(types=frozenset({"view", "materialized_view"}))]), tables) == ["m", "v"]


def test_the_kind_tells_which_of_two_patterns_a_table_is_from():
    selection = Selection([pattern(types=frozenset({"table"})), pattern(types=frozenset({"view"}))])

    facts = [Facts("table"), Facts("view"), Facts("foreign table"), None]
    assert [selection.position(TableRef("x"), known) for known in facts] == [
        0,
        1,
        None,
        0,
    ]


def test_a_pattern_that_finds_nothing_is_told_and_one_whose_finds_are_listed_is_not():
    empty, redundant = pattern("z*"), pattern("a*")

    assert Selection([TableRef("a"), empty, redundant]).find(listed("a")).barren == (empty,)


def test_a_pattern_looks_in_its_own_database_alone():
    selection = Selection([pattern(database="one"), pattern("x*")])
    tables = [*listed("a", database="one"), *listed("b"), *listed("xa")]

    assert selection.databases == (None, "one") or selection.databases == ("one", None)
    assert set(keys(selection, tables)) == {"one..a", "xa"}


BIG, SMALL = Facts("table", rows=1000), Facts("table", rows=1)


def test_of_two_patterns_the_one_whose_conditions_hold_counts():
    large, rest = pattern("a*", conditions=Conditions(min_rows=100)), pattern(breadth=1)
    selection = Selection([large, rest])

    assert [selection.position(TableRef("a"), facts) for facts in (BIG, SMALL, None)] == [0, 1, 0]
    tables = listed("a1", "a2", "b")
    facts = dict(zip(tables, (BIG, SMALL, SMALL), strict=True))
    assert selection.candidates(tables) == {tables[0]: TableRef("a1"), tables[1]: TableRef("a2")}
    assert selection.find(tables, facts).refs == (TableRef("a1"), TableRef("a2"), TableRef("b"))


def test_a_table_of_which_nobody_can_tell_is_left_out_and_named():
    large = pattern("a*", conditions=Conditions(min_rows=100, tags=("x",)))
    tables = listed("a1", "a2", "a3")
    facts = dict(zip(tables, (Facts("table"), SMALL, BIG._replace(tags=frozenset("x"))), strict=True))

    found = Selection([large]).find(tables, facts)

    assert found.refs == (TableRef("a3"),)
    assert found.undecided == ((large, ("number of rows", "tags"), (TableRef("a1"),)),)
    assert Selection([large]).find(tables[:1], facts).barren == ()


def test_tags_are_only_asked_for_where_they_matter():
    selection = Selection([pattern("a*", conditions=Conditions(tags_any=("x",))), pattern("b*")])

    assert [selection.asks_tags_of(TableRef(name)) for name in ("a", "b")] == [True, False]


def test_members_are_found_whatever_their_case():
    selector = pattern(schema="*", members=lambda: frozenset({("sales", "orders")}))

    assert keys(Selection([selector]), listed("SALES.Orders", "SALES.other", "hr.orders")) == ["SALES.Orders"]


names = st.text("ab*?[", min_size=1, max_size=4)


@given(names, st.lists(st.text("ab*?[x", min_size=1, max_size=4), unique=True), st.lists(names, max_size=2))
def test_a_pattern_finds_exactly_what_it_matches_and_no_exclusion_does(text, tables, exclusions):
    def fits(glob, name):
        parts = re.split(r"(\[[^\]]+\]|\*|\?)", glob)
        spelled = {"*": ".*", "?": "."}
        return re.fullmatch("".join(spelled.get(part, re.escape(part)) for part in parts), name) is not None

    selector = pattern(text, excluded=tuple(map(compile_pattern, exclusions)))

    expected = {name for name in tables if fits(text, name) and not any(fits(glob, name) for glob in exclusions)}
    found = Selection([selector]).find(listed(*tables)).refs
    assert {ref.table for ref in found} == expected
    assert all(Selection([selector]).position(ref) == 0 for ref in found)


@given(st.permutations(range(4)), st.lists(st.sampled_from(["a", "b", "s.a", "s.b", "r.c"]), unique=True))
def test_no_table_is_found_twice_in_whatever_order_the_entries_stand(order, tables):
    entries = [pattern("a*"), pattern(schema="s", breadth=1), pattern(schema="*", breadth=2), TableRef("b")]

    refs = Selection([entries[at] for at in order]).find(listed(*tables)).refs

    real = [(ref.schema or "public", ref.table) for ref in refs]
    assert len(refs) == len(set(refs))
    assert sorted(set(real) - {("public", "b")}) == sorted(
        {tuple(name.split(".")) if "." in name else ("public", name) for name in tables} - {("public", "b")}
    )
