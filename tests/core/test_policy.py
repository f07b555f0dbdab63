from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.policy import LONGEST_WAIT, Policy


@pytest.mark.parametrize(
    ("redeliver_after", "times", "minutes"),
    [
        (15, 0, 15),
        (15, 1, 15),
        (15, 2, 30),
        (15, 3, 60),
        (15, 7, 960),
        (15, 8, 1440),
        (15, 100_000, 1440),
        (2880, 1, 2880),
        (2880, 9, 2880),
    ],
)
def test_the_wait_doubles_up_to_a_day(redeliver_after, times, minutes):
    assert Policy(redeliver_after=timedelta(minutes=redeliver_after)).wait(times) == timedelta(minutes=minutes)


@given(st.timedeltas(timedelta(milliseconds=1), timedelta.max), st.integers(0, 10**6))
def test_the_wait_never_shrinks_and_is_never_longer_than_a_day_or_the_first(redeliver_after, times):
    policy = Policy(redeliver_after=redeliver_after)

    assert redeliver_after <= policy.wait(times) <= policy.wait(times + 1) <= max(LONGEST_WAIT, redeliver_after)


def test_the_rules_that_nobody_set_are_those_of_the_documentation():
    assert Policy() == Policy(
        redeliver_after=timedelta(minutes=15),
        lease=timedelta(hours=1),
        max_attempts=5,
        profile_after=timedelta(hours=24),
        on_empty="pass",
    )
