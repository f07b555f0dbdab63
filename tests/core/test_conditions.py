"""What has to be known of a table, and what follows from it."""

from __future__ import annotations

import pytest

from profilemesh_airflow.core.conditions import Conditions, Facts
from profilemesh_airflow.core.selection import tags_in_comment, with_values


@pytest.mark.parametrize(
    ("conditions", "facts", "holds"),
    [
        ({}, {}, True),
        ({"min_rows": 5}, {"rows": 5}, True),
        ({"min_rows": 5}, {"rows": 4}, False),
        ({"max_rows": 5}, {"rows": 5}, True),
        ({"max_rows": 5}, {"rows": 6}, False),
        ({"min_rows": 2, "max_rows": 5}, {"rows": 3}, True),
        ({"min_rows": 1}, {}, None),
        ({"max_rows": 5}, {"rows": 0}, True),
        ({"required_columns": ("a", "b")}, {"columns": frozenset("abc")}, True),
        ({"required_columns": ("a", "A")}, {"columns": frozenset("abc")}, False),
        ({"modified_since_days": 7}, {"age_days": 7.0}, True),
        ({"modified_since_days": 7}, {"age_days": 7.1}, False),
        ({"modified_since_days": 7}, {}, None),
        ({"tags": ("a", "b")}, {"tags": frozenset("abc")}, True),
        ({"tags": ("a", "z")}, {"tags": frozenset("abc")}, False),
        ({"tags": ("a",)}, {"tags": None}, None),
        ({"tags_any": ("y", "a")}, {"tags": frozenset("abc")}, True),
        ({"tags_any": ("y", "z")}, {"tags": frozenset()}, False),
        ({"min_rows": 5, "tags": ("a",)}, {"rows": 4}, False),
        ({"min_rows": 5, "tags": ("a",)}, {"rows": 6}, None),
    ],
)
def test_conditions_hold_or_not_or_cannot_be_told(conditions, facts, holds):
    assert Conditions(**conditions).hold(Facts("table", **facts)) is holds
    assert bool(Conditions(**conditions)) is bool(conditions)


def test_what_is_not_known_is_named():
    conditions = Conditions(min_rows=1, modified_since_days=1, tags=("a",))

    assert conditions.unknown(Facts("table")) == ("number of rows", "time of the last change", "tags")
    assert conditions.unknown(Facts("table", rows=1, age_days=0.0)) == ("tags",)


@pytest.mark.parametrize(
    ("comment", "tags"),
    [
        ("Tags: critical, pii ", {"critical", "pii"}),
        ("All orders. tags: daily\nSee the wiki", {"daily"}),
        ("critical,daily", {"critical", "daily"}),
        (" , ", set()),
    ],
)
def test_tags_are_read_out_of_a_comment(comment, tags):
    assert tags_in_comment(comment) == tags


def test_a_tag_with_a_value_can_be_asked_for_either_way():
    assert with_values([("team", "sales"), ("daily", ""), ("old", None)]) == {"team", "team:sales", "daily", "old"}
