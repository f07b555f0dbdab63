from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.drift import FreshnessRules, data_changes, find_staleness

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def at(*hours):
    return [START + hour * HOUR for hour in hours]


def found(hours, now, **rules):
    """The finding of data that changed at these hours, looked at at another; or none."""
    return find_staleness(at(*hours), START + now * HOUR, FreshnessRules(**rules))


DAILY = [24 * day for day in range(8)]


def test_data_changed_when_a_run_saw_another_version_than_the_run_before():
    seen = list(zip(at(1, 2, 3, 4, 5), ["a", "a", "b", "a", "a"], strict=True))

    assert data_changes(seen) == at(3, 4)
    assert data_changes(seen[:1]) == data_changes([]) == []


@pytest.mark.parametrize(
    ("hours_since", "score", "severity"),
    [
        (0, None, None),
        (35, None, None),
        (36, 1.5, "low"),
        (48, 2.0, "medium"),
        (71, 71 / 24, "medium"),
        (96, 4.0, "high"),
    ],
)
def test_the_age_of_the_data_is_measured_in_usual_intervals(hours_since, score, severity):
    finding = found(DAILY, DAILY[-1] + hours_since)

    if severity is None:
        assert finding is None
    else:
        assert (finding.score, finding.severity) == (pytest.approx(score), severity)
        assert (finding.column, finding.metric, finding.check) == (None, "freshness", "freshness")
        assert (finding.before, finding.after) == (24 * 3600, hours_since * 3600)
        assert finding.details == {"last_change": "2024-01-08T00:00:00+00:00", "unit": "seconds", "intervals": 6}
        json.dumps(finding.as_dict(), allow_nan=False)


def test_data_that_came_late_are_told_when_they_are_there():
    late = [*DAILY, DAILY[-1] + 72]

    assert found(late, late[-1]).score == 3.0
    assert found([*late, late[-1] + 24], late[-1] + 24) is None


def test_nights_and_weekends_come_again_and_are_usual():
    fridays_and_mondays = [24 * day for day in range(19) if day % 7 < 5]

    assert found(fridays_and_mondays, fridays_and_mondays[-1] + 72) is None
    assert found(fridays_and_mondays, fridays_and_mondays[-1] + 72 * 2).severity == "medium"


def test_one_accident_is_not_usual():
    after_an_outage = [0, 24, 48, 300, *(300 + 24 * day for day in range(1, 6))]

    assert found(after_an_outage, after_an_outage[-1] + 48).severity == "medium"


@pytest.mark.parametrize("hours", [[], [0], [0, 24], DAILY[:6]])
def test_too_few_changes_say_nothing_of_what_is_usual(hours):
    assert found(hours, 10_000) is None
    assert found(DAILY[:7], 10_000).severity == "high"


def test_it_can_be_switched_off():
    assert found(DAILY, 10_000, enabled=False) is None


@given(st.lists(st.integers(1, 1000), min_size=7, max_size=20), st.integers(0, 1000), st.integers(0, 1000))
def test_data_only_get_staler(intervals, now, later):
    hours = [sum(intervals[:i]) for i in range(len(intervals) + 1)]
    now, later = sorted((now, later))
    scores = [finding.score if (finding := found(hours, hours[-1] + age)) else 0.0 for age in (now, later)]

    assert scores == sorted(scores)
