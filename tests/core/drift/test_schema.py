from __future__ import annotations

import pytest

from profilemesh_airflow.core.drift import ColumnRules, DriftRules, SchemaRules, find_schema_drift
from profilemesh_airflow.core.profile import ColumnProfile

DEFAULT = DriftRules()


def found(before, after, rules=DEFAULT):
    old, new = ([ColumnProfile(name, kind) for name, kind in columns.items()] for columns in (before, after))
    return [
        (each.column, each.metric, each.before, each.after, each.severity)
        for each in find_schema_drift(old, new, rules)
    ]


@pytest.mark.parametrize(
    ("before", "after", "findings"),
    [
        ({"a": "int"}, {"a": "int"}, []),
        ({"a": "int", "b": "text"}, {"b": "text", "a": "int"}, []),
        ({}, {"a": "int"}, [("a", "column", None, "int", "low")]),
        ({"a": "int"}, {}, [("a", "column", "int", None, "high")]),
        ({"a": "int"}, {"a": "text"}, [("a", "type", "int", "text", "medium")]),
        ({"a": "int"}, {"A": "int"}, [("a", "column", "int", None, "high"), ("A", "column", None, "int", "low")]),
    ],
)
def test_a_column_that_came_went_or_has_another_type_is_a_drift(before, after, findings):
    assert found(before, after) == findings


def test_the_configuration_says_how_severe_each_is():
    rules = DriftRules(schema=SchemaRules(added="none", dropped="low", retyped="high"))

    assert found({"a": "int", "b": "int"}, {"a": "text", "c": "int"}, rules) == [
        ("a", "type", "int", "text", "high"),
        ("b", "column", "int", None, "low"),
    ]


def test_a_column_that_is_switched_off_is_left_alone():
    rules = DriftRules(columns=(("tmp_*", ColumnRules(enabled=False)),))

    assert found({"tmp_a": "int"}, {"tmp_b": "int"}, rules) == []
