from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.table import MAX_KEY_LENGTH, TableRef, encode_part, shorten

# Few letters, so that hypothesis finds names that meet; all the characters that separate or escape are among them.
NAMES = st.text(st.sampled_from("ab.%:/~_- é\"'") | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
REFS = st.builds(TableRef, NAMES, st.none() | NAMES, st.none() | NAMES)


@pytest.mark.parametrize(
    ("ref", "key"),
    [
        (TableRef("orders"), "orders"),
        (TableRef("orders", "sales"), "sales.orders"),
        (TableRef("orders", "sales", "shop"), "shop.sales.orders"),
        (TableRef("orders", None, "shop"), "shop..orders"),
        (TableRef("orders", "", ""), "orders"),
        (TableRef("Orders", "Sales"), "Sales.Orders"),
        (TableRef("a.b", "sales"), "sales.a%2Eb"),
        (TableRef("50%", "sales"), "sales.50%25"),
        (TableRef("a:b/c d", "sales"), "sales.a%3Ab%2Fc%20d"),
        (TableRef('say "hi"', "it's"), "it%27s.say%20%22hi%22"),
        (TableRef("Straße", "bücher"), "b%C3%BCcher.Stra%C3%9Fe"),
        (TableRef("select", "order"), "order.select"),
        (TableRef("a_b-c~d", "sales"), "sales.a_b-c~d"),
    ],
)
def test_a_key_names_the_table_with_every_separator_encoded(ref, key):
    assert ref.key == key


@given(REFS, REFS)
def test_two_tables_never_share_a_key(one, other):
    assert (one.key == other.key) == (one == other)


@given(REFS)
def test_a_key_is_printable_ascii_without_spaces(ref):
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", ref.key)


def test_a_key_too_long_for_airflow_is_cut_and_ends_in_a_hash_of_the_whole():
    one, other = TableRef("t" * 300, "sales"), TableRef("t" * 301, "sales")

    assert one.key == f"sales.{'t' * 227}~da5acff30852d209"
    assert len(one.key) == len(other.key) == MAX_KEY_LENGTH
    assert one.key != other.key


def test_a_key_of_exactly_the_longest_length_stays_whole():
    assert TableRef("t" * MAX_KEY_LENGTH).key == "t" * MAX_KEY_LENGTH


@pytest.mark.parametrize("padding", ["", "x", "xx"])
def test_a_cut_never_leaves_half_an_escape(padding):
    key = TableRef(padding + "é" * 200).key

    beginning, _ = key.split("~")
    assert re.fullmatch(r"x*(%[0-9A-F]{2})+", beginning)
    assert MAX_KEY_LENGTH - 2 <= len(key) <= MAX_KEY_LENGTH


@given(st.text(max_size=40), st.integers(18, 30))
def test_a_shortened_text_is_never_longer_than_asked(text, limit):
    assert len(shorten(text, limit)) <= limit
    assert (shorten(text, limit) == text) == (len(text) <= limit)


@pytest.mark.parametrize("part", ["..", ".", "%2E", "a/b", "\x00", "\n"])
def test_no_encoded_name_can_be_taken_for_a_path_or_a_separator(part):
    assert not set("./\n\x00") & set(encode_part(part))


def test_an_empty_schema_is_no_schema():
    assert TableRef("orders", "") == TableRef("orders")
    assert TableRef("orders", "", "").parts == ("orders",)


def test_a_table_is_shown_as_people_write_it():
    assert str(TableRef("a.b", "bücher", "shop")) == "shop.bücher.a.b"
