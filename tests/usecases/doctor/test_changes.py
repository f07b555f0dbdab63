from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from profilemesh_airflow.core.diff import Baseline
from profilemesh_airflow.core.ledger import Deferred, Rung
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store import LedgerView
from profilemesh_airflow.usecases.doctor.changes import expired_leases, overdue, parked
from profilemesh_airflow.usecases.doctor.findings import Diagnosis
from profilemesh_airflow.usecases.doctor.site import Site
from tests.core.changes import CLAIM, FAIL, NOW, PARK, REF, after, at

HOUR = timedelta(hours=1)
POLICY = Policy(deadline=24 * HOUR)


def view(*entries, now=NOW + 25 * HOUR, profiled_at=None):
    baseline = Baseline(REF, at("0"), "{}", None, None, profiled_at, "run") if profiled_at else None
    return LedgerView(now, {REF.key: baseline} if baseline else {}, {entry.key: entry for entry in entries})


def site(ledger, planned=(REF,), policy=POLICY):
    return Site(SimpleNamespace(policy=policy), view=ledger, refs=tuple(planned))


def look(check, ledger, *more):
    return list(check(site(ledger, *more), Diagnosis()))


def found(findings):
    return [(finding.severity, finding.where, finding.what) for finding in findings]


@pytest.mark.parametrize(
    ("detected", "profiled", "hours", "reported"),
    [
        (0, None, 24, False),
        (0, None, 24.01, True),
        (0, -100, 25, True),
        (0, 2, 25, False),
        (0, 2, 27, True),
    ],
)
def test_a_change_is_overdue_when_detection_and_the_last_profile_are_longer_ago_than_the_deadline(
    detected, profiled, hours, reported
):
    profiled_at = None if profiled is None else NOW + profiled * HOUR
    ledger = view(after(NOW + detected * HOUR), now=NOW + hours * HOUR, profiled_at=profiled_at)

    assert bool(look(overdue, ledger)) == reported


@pytest.mark.parametrize(
    ("steps", "what", "remedy"),
    [
        ((), "open for 1 d 1 h, never rung", "refresh DAG is there"),
        ((Deferred(),), "open for 1 d 1 h, never rung, deferred once", "raise airflow.budget"),
        (
            (Rung(), Rung(), Rung()),
            "open for 1 d 1 h, rung 3 times, nobody answers; a refresh rings again from 2024-01-01 01:00 UTC on",
            "its DAG is there and not paused",
        ),
        (
            (Rung(), CLAIM, FAIL),
            "open for 1 d 1 h, rung once, failed once, the last time at 2024-01-01 00:00 UTC: ProfileError: boom",
            "mend the cause; a refresh rings for it again from 2024-01-01 00:15 UTC on",
        ),
        (
            (CLAIM,),
            "open for 1 d 1 h, never rung, claimed by worker, whose lease ran out at 2024-01-01 01:00 UTC",
            "run a refresh",
        ),
        (
            (Rung(), NOW + 24.5 * HOUR, CLAIM),
            "open for 1 d 1 h, rung once, claimed by worker until 2024-01-02 01:30 UTC",
            "longer airflow.deadline",
        ),
    ],
)
def test_an_overdue_change_says_whether_it_was_rung_how_often_and_who_has_it(steps, what, remedy):
    (finding,) = look(overdue, view(after(*steps)))

    assert (finding.check, finding.severity, finding.where, finding.what) == ("overdue-changes", "error", REF.key, what)
    assert remedy in finding.remedy


def test_an_overdue_change_of_a_table_that_left_the_configuration_waits_for_a_refresh_and_for_nobody_else():
    (finding,) = look(overdue, view(after(Rung())), [TableRef("another")])

    assert finding.what == "open for 1 d 1 h, rung once, and the table left the configuration"
    assert finding.remedy == "run a refresh, which retires the change"


def test_less_than_a_day_is_told_in_hours_and_minutes():
    (finding,) = look(overdue, view(after(), now=NOW + timedelta(minutes=150)), [REF], Policy(deadline=HOUR))

    assert finding.what == "open for 2 h 30 min, never rung"


def test_a_parked_change_is_told_with_its_last_error_and_the_command_that_replays_it_and_is_not_overdue_too():
    odd = replace(after(*PARK), ref=TableRef('odd "name"'))

    (finding,) = look(parked, view(odd))

    assert look(overdue, view(odd), [odd.ref]) == []
    assert (finding.check, finding.severity, finding.where) == ("parked-changes", "error", "odd%20%22name%22")
    assert finding.what == "failed twice, the last time at 2024-01-01 00:00 UTC: ProfileError: boom"
    assert finding.remedy == "mend the cause, then run `profilemesh-airflow replay odd%20%22name%22`"


def test_a_change_from_before_errors_had_a_class_is_told_without_one():
    (finding,) = look(parked, view(replace(after(*PARK), last_error_type=None)))

    assert finding.what == "failed twice, the last time at 2024-01-01 00:00 UTC: boom"


def test_a_claim_is_reported_once_its_lease_ran_out_and_no_sooner():
    claimed = after(CLAIM)

    assert look(expired_leases, view(claimed, now=NOW + 0.9 * HOUR)) == []
    assert found(look(expired_leases, view(claimed, now=NOW + HOUR))) == [
        (
            "warning",
            REF.key,
            "claimed by worker, whose lease ran out at 2024-01-01 01:00 UTC: it is taken to be dead",
        )
    ]


def test_a_lease_that_cannot_be_trusted_since_the_clock_was_set_back_says_so():
    ((_, _, what),) = found(look(expired_leases, view(after(CLAIM), now=NOW - 2 * HOUR)))

    assert what == (
        "claimed by worker until 2024-01-01 01:00 UTC, and the store's clock was set back since: it is taken to be dead"
    )


def test_what_is_open_parked_or_held_in_time_is_no_finding_of_the_others():
    fine = view(after(Rung()), now=NOW + HOUR)

    assert [*look(overdue, fine), *look(parked, fine), *look(expired_leases, fine)] == []
