"""Every digest here was computed with ``b2sum -l 128`` from the text beside it: a digest that moves makes every user's
tables profile anew."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.fingerprint import (
    Fingerprint,
    canonical_json,
    data_digest,
    schema_digest,
    settings_digest,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("digest", "golden"),
    [
        (data_digest("42"), "8c757f0d266d9804f6ee488392d5aed4"),  # data:1\n42
        (schema_digest({}), "5ff1270e07ee5c765285ca23fd6e6219"),  # schema:1\n{}
        (schema_digest({"id": "integer", "name": "text"}), "8a9d2d04f1635fd388ebbc5d7ac7d0e7"),
        (schema_digest({"name": "text", "id": "integer"}), "8a9d2d04f1635fd388ebbc5d7ac7d0e7"),
        (schema_digest({"größe": "text"}), "a3445dfd1a6c270fa2179f3f65aefe4a"),  # schema:1\n{"größe":"text"}
    ],
)
def test_a_digest_stays_what_it_is_from_release_to_release(digest, golden):
    assert digest == golden


def test_the_same_text_has_another_digest_in_every_part():
    text = canonical_json({})

    assert len({settings_digest({}), schema_digest({}), data_digest(text)}) == 3


@pytest.mark.parametrize(
    "columns",
    [
        {"id": "bigint", "name": "text"},
        {"ID": "integer", "name": "text"},
        {"id": "integer"},
        {"id": "integer", "name": "text", "more": "text"},
        {"id": "text", "name": "integer"},
    ],
)
def test_another_name_or_type_of_a_column_moves_the_schema_digest(columns):
    assert schema_digest(columns) != schema_digest({"id": "integer", "name": "text"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1, 2]}, '{"a":[1,2],"b":1}'),
        ({"ä": None, "b": True}, '{"b":true,"ä":null}'),
        ([1, 1.0, "1", True], '[1,1.0,"1",true]'),
    ],
)
def test_canonical_json_sorts_keys_keeps_lists_and_tells_types_apart(value, text):
    assert canonical_json(value) == text


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=5))
def test_the_order_of_keys_never_moves_a_digest(document):
    turned = dict(reversed(document.items()))

    assert settings_digest(document) == settings_digest(turned)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_refused(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        settings_digest({"fraction": value})


def test_a_fingerprint_lists_its_parts_with_none_for_what_is_unknown():
    assert Fingerprint("a", None, "b").as_dict() == {"settings": "a", "schema": None, "data": "b"}
