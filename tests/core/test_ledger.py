"""The life of a change: each step, and what holds after any sequence of steps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from profilemesh_airflow.core.diff import Change, Reason
from profilemesh_airflow.core.fingerprint import Fingerprint
from profilemesh_airflow.core.ledger import (
    CLAIMED,
    CLOSED,
    OPEN,
    PARKED,
    PROFILED,
    RETIRED,
    WITHDRAWN,
    Claimed,
    Committed,
    Detected,
    Failed,
    Removed,
    Returned,
    Rung,
    advance,
    opened,
)
from profilemesh_airflow.core.policy import LONGEST_WAIT, Policy
from profilemesh_airflow.core.table import TableRef

NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)
LATER = NOW + timedelta(minutes=1)
POLICY = Policy(redeliver_after=timedelta(minutes=15), lease=timedelta(hours=1), max_attempts=2)
AFTER_LEASE = NOW + POLICY.lease
REF = TableRef("orders", "sales")


def at(version):
    return Fingerprint("settings", "schema", version)


def change(version, *, forced=None):
    reasons = [Reason("data", "version", "0", version)]
    return Change(REF, (*reasons, *([Reason("forced", "request", None, forced)] if forced else [])), at(version))


def after(*steps, now=NOW, policy=POLICY, first=None):
    entry = opened("id", first or change("1"), NOW)
    for step in steps:
        entry = advance(entry, step, now, policy)
    return entry


def kinds(entry):
    return [reason.kind for reason in entry.reasons]


CLAIM, FAIL, DONE = Claimed("worker"), Failed("boom"), Committed(at("1"), "run")
PARK = (CLAIM, FAIL, CLAIM, FAIL)


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
        ((CLAIM, FAIL), DONE),
        (PARK, CLAIM),
        *(((Returned(),), step) for step in (Detected(change("2")), Returned(), Removed(), Rung(), CLAIM, FAIL, DONE)),
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
    second = advance(entry, Claimed("second"), AFTER_LEASE, POLICY)
    assert (second.token, second.claimed_by) == (2, "second")


def test_a_change_whose_worker_vanished_is_withdrawn_when_the_table_returns():
    assert advance(after(CLAIM), Returned(), AFTER_LEASE, POLICY).outcome == WITHDRAWN


def test_a_failure_on_an_older_target_does_not_count():
    entry = after(CLAIM, Detected(change("2")), FAIL)
    assert (entry.attempts, entry.last_error, entry.next_ring_at) == (0, "boom", NOW)


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


class LifeOfAChange(RuleBasedStateMachine):
    """Random steps at random times, beside a model that knows only promises.

    The model remembers what a commit has to answer: the present target, and the latest force.
    """

    @initialize()
    def start(self):
        self.now = NOW
        self.entry = opened("id", change("1"), NOW)
        self.force_unanswered = False
        self.seen_at_claim = None

    def step(self, step):
        before = self.entry
        self.entry = advance(before, step, self.now, POLICY)
        assert self.entry.token >= before.token
        assert self.entry.target_revision >= before.target_revision

    def alive(self):
        return self.entry.state != CLOSED

    def claimed(self):
        return self.entry.state == CLAIMED

    @rule(by=st.sampled_from([timedelta(0), timedelta(minutes=10), timedelta(hours=2), timedelta(minutes=-5)]))
    def pass_time(self, by):
        self.now += by

    @precondition(alive)
    @rule(version=st.sampled_from("123"), forced=st.booleans())
    def detect(self, version, forced):
        before = self.entry
        self.step(Detected(change(version, forced="test" if forced else None)))
        self.force_unanswered |= forced
        moved = version != before.target.data
        if forced:
            self.seen_at_claim = self.seen_at_claim and (self.seen_at_claim[0], True)
        assert self.entry.target == at(version)
        assert (self.entry.target_revision > before.target_revision) == (moved or forced)
        if moved or forced:
            assert self.entry.state in (OPEN, CLAIMED)
            assert self.entry.to_ring(self.now) or self.entry.held(self.now)

    @precondition(alive)
    @rule()
    def return_to_baseline(self):
        held = self.entry.held(self.now)
        self.step(Returned())
        assert (self.entry.state == CLOSED) == (not held and not self.force_unanswered)

    @precondition(alive)
    @rule()
    def ring(self):
        self.step(Rung())
        assert not self.entry.to_ring(self.now)

    @precondition(lambda self: self.alive() and self.entry.waiting(self.now))
    @rule()
    def claim(self):
        token = self.entry.token
        self.step(Claimed("worker"))
        # What the worker knows: the target, and whether somebody forces it from now on.
        self.seen_at_claim = (self.entry.target_revision, False)
        assert self.entry.token == token + 1
        assert self.entry.held(self.now)

    @precondition(claimed)
    @rule()
    def fail(self):
        before = self.entry
        self.step(Failed("boom"))
        assert self.entry.state in (OPEN, PARKED)
        assert (self.entry.state == PARKED) == (self.entry.attempts >= POLICY.max_attempts)
        assert self.entry.target == before.target

    @precondition(claimed)
    @rule(version=st.sampled_from("123"))
    def commit(self, version):
        revision, forced_since = self.seen_at_claim
        wanted = self.entry.target
        moved = self.entry.target_revision != revision
        self.step(Committed(at(version), "run"))
        assert (self.entry.state == CLOSED) == (not moved or (at(version) == wanted and not forced_since))
        self.force_unanswered = forced_since
        self.seen_at_claim = None
        if self.alive():
            assert self.entry.to_ring(self.now)

    @precondition(alive)
    @rule()
    def remove(self):
        self.step(Removed())
        assert self.entry.outcome == RETIRED

    @precondition(lambda self: not self.alive())
    @rule(step=st.sampled_from([Detected(change("9")), Returned(), Removed(), Rung(), CLAIM, FAIL, DONE]))
    def touch_a_closed_one(self, step):
        with pytest.raises(ValueError, match="closed"):
            advance(self.entry, step, self.now, POLICY)

    @invariant()
    def fields_agree_with_the_state(self):
        entry = getattr(self, "entry", None)
        if entry is None:
            return
        assert (entry.state == CLAIMED) == (entry.claimed_by is not None) == (entry.lease_until is not None)
        assert (entry.state == CLOSED) == (entry.outcome is not None) == (entry.closed_at is not None)
        assert (entry.outcome == PROFILED) == (entry.run_id is not None)
        assert bool(entry.forced_revision) == self.force_unanswered or entry.state == CLOSED
        assert ("forced" in kinds(entry)) == bool(entry.forced_revision)
        assert entry.attempts <= POLICY.max_attempts
        assert entry.claimed_revision <= entry.target_revision


TestLifeOfAChange = LifeOfAChange.TestCase
TestLifeOfAChange.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
