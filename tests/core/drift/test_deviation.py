from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.drift import ColumnRules, Deviations, DriftRules, Snapshot, find_drift
from profilemesh_airflow.core.profile import ColumnProfile

MODERATE = st.floats(-1e6, 1e6)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def found(past, now, *, window=7, min_runs=3):
    """The finding about a mean, whose earlier values are given newest first; or none."""

    def snapshot(value):
        return Snapshot(None, [ColumnProfile("x", "real", {"mean": value})])

    settings = Deviations(window=window, min_runs=min_runs)
    rules = DriftRules(metrics=ColumnRules(strategy="standard_deviation", standard_deviation=settings))
    findings = list(find_drift(snapshot(now), [snapshot(value) for value in past], rules))
    assert len(findings) <= 1
    return findings[0] if findings else None


@pytest.mark.parametrize(
    ("now", "score", "severity"),
    [
        (11.9, None, None),
        (12.0, 1.0, "low"),
        (8.0, 1.0, "low"),
        (14.0, 2.0, "medium"),
        (16.0, 3.0, "high"),
        (0.0, 5.0, "high"),
    ],
)
def test_a_metric_is_measured_in_the_standard_deviations_of_its_earlier_values(now, score, severity):
    finding = found([8.0, 10.0, 12.0], now)  # mean 10, sample standard deviation 2

    if severity is None:
        assert finding is None
    else:
        assert (finding.score, finding.severity, finding.check) == (score, severity, "standard_deviation")
        assert (finding.before, finding.after) == (10.0, now)
        assert finding.details == {"runs": 3, "stddev": 2.0}


@given(st.lists(MODERATE, min_size=3, max_size=7), MODERATE)
def test_the_score_is_that_of_the_statistics_module(past, now):
    mean, stddev = statistics.mean(past), statistics.stdev(past)
    finding = found(past, now)

    if finding is not None and finding.check == "standard_deviation":
        assert finding.score == pytest.approx(abs(now - mean) / stddev, rel=1e-6)
    elif finding is None and stddev > 1e-6 * max(map(abs, past)):
        assert abs(now - mean) / stddev < 1.0 + 1e-6


@given(
    st.lists(st.integers(-1000, 1000), min_size=3, max_size=7),
    st.integers(-1000, 1000),
    st.sampled_from([0.5, 4.0, -1.0]),
)
def test_the_unit_of_a_metric_does_not_matter(past, now, unit):
    one, other = found(past, now), found([value * unit for value in past], now * unit)

    assert (one and (one.score, one.severity)) == (other and (pytest.approx(other.score), other.severity))


def test_only_the_window_counts():
    assert found([8.0, 10.0, 12.0, 1000.0], 10.5, window=3) is None
    assert found([8.0, 10.0, 12.0, 1000.0], 16.0, window=3).details["runs"] == 3
    assert found([8.0, 10.0, 12.0, 1000.0], 16.0, window=4) is None


def test_a_window_that_is_shorter_than_asked_is_used_as_far_as_it_goes():
    assert found([8.0, 10.0, 12.0], 16.0, window=30).details["runs"] == 3


@pytest.mark.parametrize("past", [[], [1.0], [1.0, 2.0], [1.0, None, 2.0], [1.0, "2024-01-01", 2.0]])
def test_too_few_earlier_values_say_nothing(past):
    assert found(past, 1000.0) is None


@pytest.mark.parametrize("now", [None, "2024-01-01", True])
def test_what_is_no_number_is_not_compared(now):
    assert found([8.0, 10.0, 12.0], now) is None


@pytest.mark.parametrize(
    ("past", "now", "severity"),
    [
        ([100.0] * 5, 100.0, None),
        ([100.0] * 5, 101.0, None),
        ([100.0] * 5, 106.0, "low"),
        ([0.0] * 5, 0.0, None),
        ([0.0] * 5, 1e-9, "high"),
        ([0.1 + 0.2, 0.3, 0.3], 0.3000000001, None),
    ],
)
def test_where_the_earlier_values_are_all_the_same_the_absolute_thresholds_decide(past, now, severity):
    finding = found(past, now)

    assert (finding and (finding.check, finding.severity)) == (severity and ("absolute_threshold", severity))


@given(st.lists(FINITE, min_size=3, max_size=7), FINITE)
def test_every_finding_is_json_however_great_the_numbers(past, now):
    finding = found(past, now)
    if finding is not None:
        json.dumps(finding.as_dict(), allow_nan=False)
