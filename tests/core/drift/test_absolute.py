from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.drift import ColumnRules, DriftRules, Snapshot, Thresholds, find_drift, worst_first
from profilemesh_airflow.core.profile import ColumnProfile

DEFAULT = DriftRules()
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def snapshot(rows=100, **columns):
    return Snapshot(rows, [ColumnProfile(name, "integer", metrics) for name, metrics in columns.items()])


def found(before, after, rules=DEFAULT):
    return worst_first(find_drift(after, [before], rules))


@pytest.mark.parametrize(
    ("change", "severity"),
    [(0.0, "none"), (4.99, "none"), (5.0, "low"), (14.99, "low"), (15.0, "medium"), (29.9, "medium"), (30.0, "high")],
)
def test_a_drift_is_as_severe_as_the_highest_threshold_it_reaches(change, severity):
    assert DEFAULT.metrics.absolute_threshold.severity(change) == severity


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
    findings = found(snapshot(x={"mean": before}), snapshot(x={"mean": after}))

    assert [(f.column, f.metric, f.before, f.after, f.severity) for f in findings] == (
        [("x", "mean", before, after, severity)] if severity else []
    )
    expected = [pytest.approx(change) if change else None] if severity else []
    assert [f.change_percent for f in findings] == [f.score for f in findings] == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"mean": None}, {"mean": 5.0}),
        ({"mean": 5.0}, {"mean": None}),
        ({"min": "2024-01-01"}, {"min": "2025-01-01"}),
        ({"max": True}, {"max": False}),
        ({"max": 1}, {"max": 10**400}),
        ({"mean": 5.0}, {}),
        ({"null_count": 1, "distinct_count": 1}, {"null_count": 100, "distinct_count": 100}),
        ({"histogram": [1]}, {"histogram": [2]}),
    ],
)
def test_only_numbers_that_do_not_grow_with_the_table_are_compared(before, after):
    assert found(snapshot(x=before), snapshot(x=after)) == ()


def test_metrics_of_a_column_that_came_or_went_are_not_compared():
    assert found(snapshot(old={"mean": 1.0}), snapshot(new={"mean": 9.0})) == ()


def test_a_row_count_that_is_not_known_is_not_compared():
    assert found(snapshot(None), snapshot(5)) == found(snapshot(5), snapshot(None)) == ()


def test_without_an_earlier_run_nothing_drifts():
    assert list(find_drift(snapshot(5), [], DEFAULT)) == []


def test_the_row_count_is_compared_once_and_the_worst_finding_comes_first():
    before = snapshot(100, a={"mean": 1.0, "max": 1.0}, b={"mean": 1.0})
    after = snapshot(110, a={"mean": 1.2, "max": 9.0}, b={"mean": 1.2})

    assert [(f.column, f.metric, f.severity) for f in found(before, after)] == [
        ("a", "max", "high"),
        ("a", "mean", "medium"),
        ("b", "mean", "medium"),
        (None, "count", "low"),
    ]


def test_other_thresholds_give_other_severities():
    rules = DriftRules(metrics=ColumnRules(absolute_threshold=Thresholds(low=0.5, medium=1.0, high=2.0)))

    assert [f.severity for f in found(snapshot(100), snapshot(101), rules)] == ["medium"]


def test_a_column_has_its_own_rules_by_name_or_by_the_first_pattern_it_matches():
    strict = ColumnRules(absolute_threshold=Thresholds(1.0, 1.0, 1.0))
    off = replace(strict, enabled=False)
    rules = DriftRules(columns=(("*_id", off), ("?_*", strict), ("c_id", strict)))
    before = snapshot(**{name: {"mean": 100.0} for name in ("a_id", "b_x", "c_id", "other", "A_ID")})
    after = snapshot(**{name: {"mean": 104.0} for name in ("a_id", "b_x", "c_id", "other", "A_ID")})

    assert [f.column for f in found(before, after, rules)] == ["b_x", "c_id", "A_ID"]


@given(FINITE, FINITE)
def test_every_finding_is_json(before, after):
    for finding in found(snapshot(x={"min": before}), snapshot(x={"min": after})):
        assert json.loads(json.dumps(finding.as_dict(), allow_nan=False)) == finding.as_dict()


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6), st.sampled_from([0.25, 2.0, -1.0, 1024.0]))
def test_the_unit_of_a_metric_does_not_matter(before, after, unit):
    def score(one, other):
        return [(f.score, f.severity) for f in found(snapshot(x={"mean": one}), snapshot(x={"mean": other}))]

    assert score(before, after) == score(before * unit, after * unit)


@given(st.floats(1.0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_further_a_metric_moves_the_more_severe_it_is(before, near, far):
    near, far = sorted((near, far))
    scores = [
        max((f.score for f in found(snapshot(x={"mean": before}), snapshot(x={"mean": before + way}))), default=0.0)
        for way in (near, far)
    ]
    assert scores == sorted(scores)


def test_a_finding_says_everything_that_is_shown():
    (finding,) = found(snapshot(x={"mean": 1.0}), snapshot(x={"mean": 2.0}))

    assert finding.as_dict() == {
        "column": "x",
        "metric": "mean",
        "before": 1.0,
        "after": 2.0,
        "change_percent": 100.0,
        "severity": "high",
        "check": "absolute_threshold",
        "score": 100.0,
        "details": {},
    }
