from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.drift import DriftFinding, Snapshot, Thresholds, find_drift
from profilemesh_airflow.core.profile import ColumnProfile

DEFAULT = Thresholds()


def snapshot(rows=100, **columns):
    return Snapshot(rows, [ColumnProfile(name, "integer", metrics) for name, metrics in columns.items()])


@pytest.mark.parametrize(
    ("change", "severity"),
    [(0.0, None), (4.99, None), (5.0, "low"), (14.99, "low"), (15.0, "medium"), (29.9, "medium"), (30.0, "high")],
)
def test_a_drift_is_as_severe_as_the_highest_threshold_it_reaches(change, severity):
    assert DEFAULT.severity(change) == severity


@pytest.mark.parametrize(
    ("before", "after", "change", "severity"),
    [
        (100.0, 100.0, None, None),
        (100.0, 104.9, None, None),
        (100.0, 105.0, 5.0, "low"),
        (100.0, 95.0, 5.0, "low"),
        (100.0, 120.0, 20.0, "medium"),
        (-100.0, -150.0, 50.0, "high"),
        (-1.0, 1.0, 200.0, "high"),
        (0.0, 0.0, None, None),
        (0, 1_000_000, None, "high"),
        (10, 0, 100.0, "high"),
        (1e-300, 1e300, None, "high"),
    ],
)
def test_a_metric_is_compared_in_percent_of_its_earlier_value(before, after, change, severity):
    found = find_drift(snapshot(x={"mean": before}), snapshot(x={"mean": after}), DEFAULT)

    assert [(f.column, f.metric, f.before, f.after, f.severity) for f in found] == (
        [("x", "mean", before, after, severity)] if severity else []
    )
    assert [f.change_percent for f in found] == ([pytest.approx(change) if change else None] if severity else [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"mean": None}, {"mean": 5.0}),
        ({"mean": 5.0}, {"mean": None}),
        ({"min": "2024-01-01"}, {"min": "2025-01-01"}),
        ({"max": True}, {"max": False}),
        ({"mean": 5.0}, {}),
        ({"null_count": 1, "distinct_count": 1}, {"null_count": 100, "distinct_count": 100}),
        ({"histogram": [1]}, {"histogram": [2]}),
    ],
)
def test_only_numbers_that_do_not_grow_with_the_table_are_compared(before, after):
    assert find_drift(snapshot(x=before), snapshot(x=after), DEFAULT) == ()


def test_a_column_that_came_or_went_is_no_drift():
    assert find_drift(snapshot(old={"mean": 1.0}), snapshot(new={"mean": 9.0}), DEFAULT) == ()


def test_the_row_count_is_compared_once_and_the_worst_finding_comes_first():
    before = snapshot(100, a={"mean": 1.0, "max": 1.0}, b={"mean": 1.0})
    after = snapshot(110, a={"mean": 1.2, "max": 9.0}, b={"mean": 1.2})

    assert [(f.column, f.metric, f.severity) for f in find_drift(before, after, DEFAULT)] == [
        ("a", "max", "high"),
        ("a", "mean", "medium"),
        ("b", "mean", "medium"),
        (None, "count", "low"),
    ]


def test_other_thresholds_give_other_severities():
    found = find_drift(snapshot(100), snapshot(101), Thresholds(low=0.5, medium=1.0, high=2.0))

    assert [f.severity for f in found] == ["medium"]


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_every_finding_is_json(before, after):
    for finding in find_drift(snapshot(x={"min": before}), snapshot(x={"min": after}), DEFAULT):
        assert json.loads(json.dumps(finding.as_dict(), allow_nan=False)) == finding.as_dict()


def test_a_finding_says_everything_that_is_shown():
    assert DriftFinding("x", "mean", 1.0, 2.0, 100.0, "high").as_dict() == {
        "column": "x",
        "metric": "mean",
        "before": 1.0,
        "after": 2.0,
        "change_percent": 100.0,
        "severity": "high",
    }
