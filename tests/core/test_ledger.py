"""The life of a change: what each step makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.diff import Change, Reason
from profilemesh_airflow.core.ledger import (
    CLAIMED,
    CLOSED,
    FORCED_PRIORITY,
    LEASE_EXPIRED,
    OPEN,
    PARKED,
    PROFILED,
    RETIRED,
    WITHDRAWN,
    Claimed,
    Committed,
    Deferred,
    Detected,
    Expired,
    Postponed,
    Removed,
    Renewed,
    Returned,
    Rung,
    advance,
)
from profilemesh_airflow.core.policy import LONGEST_WAIT, Policy
from tests.core.changes import AFTER_LEASE, CLAIM, DONE, FAIL, NOW, PARK, POLICY, REF, VANISH, after, at, change, kinds

LATER = NOW + timedelta(minutes=1)
VANISHED_TWICE = (*VANISH, CLAIM, AFTER_LEASE + POLICY.lease, Expired())


@pytest.mark.parametrize(
    ("steps", "state", "outcome"),
    [
        ((), OPEN, None),
        ((Detected(change("1")),), OPEN, None),
        ((Detected(change("2")),), OPEN, None),
        ((Rung(),), OPEN, None),
        ((Returned(),), CLOSED, WITHDRAWN),
        ((Removed(),), CLOSED, RETIRED),
        ((CLAIM,), CLAIMED, None),
        ((CLAIM, Rung()), CLAIMED, None),
        ((CLAIM, Detected(change("2"))), CLAIMED, None),
        ((CLAIM, Returned()), CLAIMED, None),
        ((CLAIM, Removed()), CLOSED, RETIRED),
        ((CLAIM, DONE), CLOSED, PROFILED),
        ((CLAIM, Committed(at("newer"), "run")), CLOSED, PROFILED),
        ((CLAIM, Detected(change("2")), DONE), OPEN, None),
        ((CLAIM, Detected(change("2")), Committed(at("2"), "run")), CLOSED, PROFILED),
        ((CLAIM, Detected(change("2")), Detected(change("1")), DONE), CLOSED, PROFILED),
        # What was seen at its target since the claim is not answered by a profile of what it was in between.
        ((CLAIM, Detected(change("1")), Committed(at("passing"), "run")), OPEN, None),
        ((CLAIM, Detected(change("1")), DONE), CLOSED, PROFILED),
        ((Detected(change("1")), CLAIM, Committed(at("newer"), "run")), CLOSED, PROFILED),
        ((CLAIM, Detected(change("1")), FAIL, CLAIM, Committed(at("newer"), "run")), CLOSED, PROFILED),
        ((*VANISH, Detected(change("1")), Committed(at("passing"), "run")), OPEN, None),
        ((CLAIM, Detected(change("1", forced="again")), DONE), OPEN, None),
        ((Detected(change("1", forced="now")), CLAIM, DONE), CLOSED, PROFILED),
        ((Detected(change("1", forced="now")), Returned()), OPEN, None),
        ((CLAIM, FAIL), OPEN, None),
        (PARK, PARKED, None),
        ((*PARK, Detected(change("1"))), PARKED, None),
        ((*PARK, Detected(change("2"))), OPEN, None),
        ((*PARK, Detected(change("1", forced="now"))), OPEN, None),
        ((*PARK, Returned()), CLOSED, WITHDRAWN),
        ((*PARK, Removed()), CLOSED, RETIRED),
        ((CLAIM, FAIL, Detected(change("2")), CLAIM, FAIL), OPEN, None),
        ((Deferred(),), OPEN, None),
        ((CLAIM, Renewed()), CLAIMED, None),
        ((CLAIM, AFTER_LEASE, Renewed()), CLAIMED, None),
        ((CLAIM, Postponed("dear")), OPEN, None),
        ((CLAIM, Detected(change("2")), Postponed("dear")), OPEN, None),
        ((CLAIM, AFTER_LEASE, Returned()), CLOSED, WITHDRAWN),
        (VANISH, OPEN, None),
        ((*VANISH, CLAIM), CLAIMED, None),
        ((CLAIM, FAIL, *VANISH), PARKED, None),
        (VANISHED_TWICE, PARKED, None),
        ((*VANISH, DONE), CLOSED, PROFILED),
        ((*VANISHED_TWICE, DONE), CLOSED, PROFILED),
        ((CLAIM, AFTER_LEASE, DONE), CLOSED, PROFILED),
        ((*VANISH, Detected(change("2")), DONE), OPEN, None),
        ((*VANISH, Detected(change("2")), Committed(at("2"), "run")), CLOSED, PROFILED),
        ((CLAIM, Detected(change("2")), AFTER_LEASE, Expired()), OPEN, None),
    ],
)
def test_every_step_leads_to_its_state(steps, state, outcome):
    entry = after(*steps)
    assert (entry.state, entry.outcome) == (state, outcome)


@pytest.mark.parametrize(
    ("steps", "impossible"),
    [
        ((), DONE),
        ((), FAIL),
        ((CLAIM,), Claimed("another")),
        ((CLAIM, AFTER_LEASE), Claimed("another")),
        ((CLAIM, FAIL), FAIL),
        (PARK, CLAIM),
        ((), Renewed()),
        ((), Postponed("dear")),
        (VANISH, Postponed("dear")),
        (VANISH, Renewed()),
        (VANISH, FAIL),
        ((), Expired()),
        ((CLAIM,), Expired()),
        (VANISH, Expired()),
        *(((Returned(),), step) for step in (Detected(change("2")), Returned(), Removed(), Rung(), CLAIM, FAIL, DONE)),
        *(((Returned(),), step) for step in (Renewed(), Expired(), Deferred())),
    ],
)
def test_a_step_that_cannot_happen_is_refused(steps, impossible):
    with pytest.raises(ValueError, match="id"):
        after(*steps, impossible)


def test_seeing_the_same_change_again_moves_nothing():
    entry = after()
    assert advance(entry, Detected(change("1")), LATER, POLICY) is entry


def test_a_moved_baseline_renews_the_reasons_but_not_the_target():
    later = Change(REF, (Reason("data", "version", "0.5", "1"),), at("1"))
    entry = advance(after(Rung()), Detected(later), LATER, POLICY)
    assert entry.reasons == later.reasons
    assert (entry.target_revision, entry.rings) == (1, 1)


def test_a_new_target_starts_counting_anew_and_is_rung_at_once():
    entry = advance(after(CLAIM, FAIL, Rung(), Rung()), Detected(change("2")), LATER, POLICY)
    assert (entry.attempts, entry.rings, entry.next_ring_at) == (0, 0, LATER)
    assert entry.target == at("2")


def test_a_force_is_kept_in_the_reasons_until_it_is_answered():
    forced = after(Detected(change("1", forced="please")), Detected(change("2")))
    assert kinds(forced) == ["data", "forced"]
    answered = advance(advance(forced, CLAIM, NOW, POLICY), Detected(change("3")), NOW, POLICY)
    answered = advance(answered, Committed(at("2"), "run"), NOW, POLICY)
    assert (answered.state, kinds(answered)) == (OPEN, ["data"])
    assert advance(answered, Returned(), NOW, POLICY).outcome == WITHDRAWN


def test_a_force_during_a_claim_outlives_its_commit():
    entry = after(CLAIM, Detected(change("1", forced="again")), DONE)
    assert kinds(entry) == ["data", "forced"]
    assert advance(entry, Returned(), NOW, POLICY) is entry


def test_a_claim_is_held_until_its_lease_ends():
    entry = after(CLAIM)
    assert entry.held(AFTER_LEASE - timedelta(microseconds=1))
    assert not entry.held(AFTER_LEASE)
    assert not entry.to_ring(NOW)
    assert entry.to_ring(AFTER_LEASE)
    second = after(*VANISH, Claimed("second"))
    assert (second.token, second.claimed_by) == (2, "second")


def test_a_heartbeat_moves_the_lease_and_nothing_else():
    before, now = after(CLAIM), NOW + timedelta(minutes=59)
    renewed = advance(before, Renewed(), now, POLICY)
    assert renewed == replace(before, lease_until=now + POLICY.lease, updated_at=now)
    assert renewed.held(AFTER_LEASE)


def test_a_lease_that_ran_out_is_an_attempt_with_its_own_error():
    entry = after(Rung(), *VANISH)
    assert (entry.attempts, entry.last_error_type, entry.last_error_at) == (1, LEASE_EXPIRED, AFTER_LEASE)
    assert "worker" in entry.last_error
    assert (entry.claimed_by, entry.lease_until) == (None, None)
    assert entry.next_ring_at == NOW + POLICY.redeliver_after


def test_a_lease_that_ran_out_on_an_older_target_does_not_count():
    entry = after(CLAIM, Detected(change("2")), AFTER_LEASE, Expired())
    assert (entry.attempts, entry.last_error_type, entry.next_ring_at) == (0, LEASE_EXPIRED, NOW)


def test_a_late_commit_counts_as_one_in_time():
    late, in_time = after(*VANISH, DONE), after(CLAIM, AFTER_LEASE, DONE)
    assert (late.outcome, late.run_id, late.closed_at) == (in_time.outcome, in_time.run_id, in_time.closed_at)


def test_a_late_commit_on_an_older_target_leaves_the_change_due_at_once():
    entry = after(*VANISH, Detected(change("2")), Rung(), DONE)
    assert (entry.state, entry.target, entry.next_ring_at) == (OPEN, at("2"), AFTER_LEASE)


@pytest.mark.parametrize(
    ("back", "trusted"),
    [(timedelta(0), True), (timedelta(minutes=1), True), (timedelta(minutes=1, microseconds=1), False)],
)
def test_leases_and_waits_are_not_trusted_when_the_clock_was_set_back(back, trusted):
    claimed, rung = after(CLAIM), after(Rung())
    assert claimed.held(NOW - back) == trusted
    assert claimed.expired(NOW - back) == claimed.waiting(NOW - back) == claimed.to_ring(NOW - back) == (not trusted)
    assert rung.to_ring(NOW - back) == (not trusted)


def test_a_step_after_the_clock_was_set_back_is_trusted_again():
    back = NOW - timedelta(days=1)
    assert not after(Rung(), back, Rung()).to_ring(back)
    assert after(CLAIM, back, Renewed()).held(back)


def test_a_deferred_change_gains_urgency_until_it_is_rung_or_claimed():
    waits = after(Deferred(), Deferred(), first=change("1", priority=3))
    assert (waits.deferrals, waits.urgency, waits.next_ring_at) == (2, 5, NOW)
    assert waits.deferred(NOW)
    assert [advance(waits, step, NOW, POLICY).deferrals for step in (Rung(), CLAIM)] == [0, 0]
    assert not after().deferred(NOW)
    assert not after(Deferred(), CLAIM, FAIL).deferred(NOW)


def test_a_forced_change_is_more_urgent_than_any_priority():
    assert after(first=change("1", priority=10, forced="now")).urgency == FORCED_PRIORITY > 10


def test_a_refresh_brings_priority_and_size_up_to_date():
    entry = after(Deferred(), Detected(change("1", priority=7, estimated_bytes=512)))
    assert (entry.priority, entry.estimated_bytes, entry.deferrals, entry.target_revision) == (7, 512, 1, 1)
    moved = after(Detected(change("2", priority=7, estimated_bytes=512)))
    assert (moved.priority, moved.estimated_bytes) == (7, 512)


def test_a_failure_on_an_older_target_does_not_count():
    entry = after(CLAIM, Detected(change("2")), FAIL)
    assert (entry.attempts, entry.last_error, entry.last_error_type, entry.next_ring_at) == (
        0,
        "boom",
        "ProfileError",
        NOW,
    )


@pytest.mark.parametrize(("rings", "minutes"), [(1, 15), (2, 30), (3, 60), (7, 960), (8, 1440), (1000, 1440)])
def test_an_unanswered_doorbell_waits_twice_as_long_each_time_up_to_a_day(rings, minutes):
    assert after(*[Rung()] * rings).next_ring_at == NOW + timedelta(minutes=minutes)


def test_a_failure_waits_before_the_next_doorbell():
    entry = after(CLAIM, FAIL)
    assert not entry.to_ring(NOW)
    assert entry.to_ring(NOW + POLICY.redeliver_after)


def test_a_removed_table_says_so_in_its_reasons():
    assert kinds(after(Removed())) == ["data", "removed"]


@given(st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=365)), st.integers(-1, 10_000))
def test_a_wait_never_shrinks_nor_outgrows_a_day(redeliver_after, times):
    policy = Policy(redeliver_after=redeliver_after)
    assert redeliver_after <= policy.wait(times) <= policy.wait(times + 1) <= max(redeliver_after, LONGEST_WAIT)
