"""What holds after any sequence of steps in the life of a change, at any times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from profilemesh_airflow.core.ledger import (
    CLAIMED,
    CLOSED,
    LEASE_EXPIRED,
    OPEN,
    PARKED,
    PROFILED,
    RETIRED,
    Committed,
    Deferred,
    Detected,
    Expired,
    Removed,
    Renewed,
    Returned,
    Rung,
    advance,
    opened,
)
from profilemesh_airflow.core.policy import LONGEST_WAIT
from tests.core.changes import CLAIM, DONE, FAIL, NOW, POLICY, PUT_OFF, STEPS_AFTER_DETECTION, at, change, kinds
from tests.examples import examples

ANY_STEP = (Detected(change("9")), *STEPS_AFTER_DETECTION)
MINUTE = timedelta(minutes=1)


class LifeOfAChange(RuleBasedStateMachine):
    """Random steps at random times, beside a model that knows only promises.

    The model remembers what a commit has to answer (the present target, and the latest force), when the lease ends,
    and when the change was last written.
    """

    @initialize(forced=st.booleans())
    def start(self, forced):
        self.now = self.written_at = NOW
        self.entry = opened("id", change("1", forced="test" if forced else None), NOW)
        self.force_unanswered = forced
        # By how much the clock was set back between two steps, too little each time to be noticed.
        self.unnoticed = timedelta(0)
        self.lease_end = None
        # Of the latest claim: whether the target moved or was seen again since, and whether somebody forced it since.
        self.moved_since = self.seen_since = self.forced_since = None

    def step(self, step):
        before = self.entry
        # Waits and leases from before the clock was set back are over.
        over = self.now if self.clock_was_set_back() else datetime.max.replace(tzinfo=timezone.utc)
        self.kept_wait = min(before.next_ring_at, over)
        self.kept_lease = before.lease_until and min(before.lease_until, over)
        self.entry = advance(before, step, self.now, POLICY)
        if self.entry is not before:
            if self.clock_was_set_back():
                self.lease_end = self.lease_end and min(self.lease_end, self.now)
            else:
                self.unnoticed += max(self.written_at - self.now, timedelta(0))
            self.written_at = self.now
        assert self.entry.updated_at == self.written_at
        assert self.entry.token >= before.token
        assert self.entry.target_revision >= before.target_revision
        return before

    def alive(self):
        return self.entry.state != CLOSED

    def claimed(self):
        return self.entry.state == CLAIMED

    def clock_was_set_back(self):
        return self.written_at > self.now + MINUTE

    def lease_is_over(self):
        return self.lease_end <= self.now or self.clock_was_set_back()

    def held(self):
        return self.claimed() and not self.lease_is_over()

    @rule(by=st.sampled_from([timedelta(0), 10 * MINUTE, timedelta(hours=2), timedelta(days=1)]))
    def pass_time(self, by):
        self.now += by

    @rule(by=st.sampled_from([MINUTE / 2, MINUTE, 5 * MINUTE, timedelta(days=2)]))
    def set_the_clock_back(self, by):
        self.now -= by
        if self.alive() and self.clock_was_set_back():
            assert not self.entry.held(self.now)
            assert self.entry.to_ring(self.now) == (self.entry.state != PARKED)

    @precondition(alive)
    @rule(version=st.sampled_from("123"), forced=st.booleans(), priority=st.integers(-10, 10))
    def detect(self, version, forced, priority):
        held = self.held()
        before = self.step(Detected(change(version, forced="test" if forced else None, priority=priority)))
        self.force_unanswered |= forced
        moved = version != before.target.data or forced
        self.seen_since = None if self.seen_since is None else True
        assert (self.entry.target, self.entry.priority) == (at(version), priority)
        assert (self.entry.target_revision > before.target_revision) == moved
        if moved:
            if self.moved_since is not None:
                self.moved_since, self.forced_since = True, self.forced_since or forced
            assert self.entry.state in (OPEN, CLAIMED)
            assert self.entry.attempts == 0
            # Under a claim that a write makes trusted again, the worker that holds it is the one to answer.
            assert self.entry.to_ring(self.now) or held or self.entry.held(self.now)
        else:
            assert self.entry.state == before.state

    @precondition(alive)
    @rule()
    def return_to_baseline(self):
        held = self.held()
        self.step(Returned())
        assert (self.entry.state == CLOSED) == (not held and not self.force_unanswered)

    @precondition(alive)
    @rule()
    def ring(self):
        before = self.step(Rung())
        assert not self.entry.to_ring(self.now)
        assert (self.entry.state, self.entry.deferrals) == (before.state, 0)
        assert self.entry.next_ring_at - self.now == min(
            POLICY.redeliver_after * 2 ** min(before.rings, 7), timedelta(days=1)
        )

    @precondition(alive)
    @rule()
    def defer(self):
        before = self.step(Deferred())
        waits = {"next_ring_at": self.kept_wait, "lease_until": self.kept_lease, "updated_at": self.now}
        assert self.entry == replace(before, deferrals=before.deferrals + 1, **waits)
        assert self.entry.urgency == before.urgency + 1

    @precondition(lambda self: self.entry.state == OPEN)
    @rule()
    def claim(self):
        before = self.step(CLAIM)
        self.lease_end = self.now + POLICY.lease
        self.moved_since = self.seen_since = self.forced_since = False
        assert self.entry.token == before.token + 1
        assert self.entry.held(self.now)

    @precondition(lambda self: self.entry.state in (CLAIMED, PARKED))
    @rule()
    def claim_what_is_not_open(self):
        with pytest.raises(ValueError, match="cannot be claimed"):
            self.step(CLAIM)

    @precondition(claimed)
    @rule()
    def renew(self):
        before = self.step(Renewed())
        self.lease_end = self.now + POLICY.lease
        assert self.entry == replace(
            before, lease_until=self.lease_end, next_ring_at=self.kept_wait, updated_at=self.now
        )
        assert self.entry.held(self.now)

    @precondition(claimed)
    @rule()
    def expire(self):
        if not self.lease_is_over():
            with pytest.raises(ValueError, match="under a lease until"):
                self.step(Expired())
            return
        before = self.step(Expired())
        self.check_given_up(before)
        assert self.entry.last_error_type == LEASE_EXPIRED
        assert self.entry.next_ring_at == self.kept_wait

    @precondition(claimed)
    @rule()
    def fail(self):
        before = self.step(FAIL)
        self.check_given_up(before)
        assert (self.entry.last_error, self.entry.last_error_type) == ("boom", "ProfileError")
        if not self.moved_since:
            assert self.entry.next_ring_at >= self.now + POLICY.redeliver_after

    @precondition(claimed)
    @rule()
    def postpone(self):
        """Nothing failed, so nothing counts; nothing is lost, as it stays open and rings again."""
        before = self.step(PUT_OFF)
        assert (self.entry.state, self.entry.postponed) == (OPEN, "too dear")
        assert (self.entry.attempts, self.entry.target) == (before.attempts, before.target)
        assert self.entry.next_ring_at <= max(self.kept_wait, self.now + POLICY.wait(1))

    def check_given_up(self, before):
        assert self.entry.attempts == before.attempts + (not self.moved_since)
        assert self.entry.state == (PARKED if self.entry.attempts >= POLICY.max_attempts else OPEN)
        assert (self.entry.target, self.entry.last_error_at) == (before.target, self.now)

    @precondition(lambda self: self.alive() and self.moved_since is not None)
    @rule(version=st.sampled_from("123"))
    def commit_in_time_or_late(self, version):
        before = self.step(Committed(at(version), "run"))
        answered = not self.seen_since or (at(version) == before.target and not self.forced_since)
        assert (self.entry.state == CLOSED) == answered
        self.force_unanswered = self.forced_since
        if self.alive():
            assert (self.entry.state, self.entry.attempts) == (OPEN, 0)
            assert self.entry.to_ring(self.now)

    @precondition(lambda self: self.alive() and self.moved_since is None)
    @rule()
    def commit_without_a_claim(self):
        with pytest.raises(ValueError, match="never claimed"):
            self.step(DONE)

    @precondition(alive)
    @rule()
    def remove(self):
        self.step(Removed())
        assert self.entry.outcome == RETIRED

    @precondition(lambda self: not self.alive())
    @rule(step=st.sampled_from(ANY_STEP))
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

    @invariant()
    def exactly_one_of_held_and_waiting_while_it_can_be_taken(self):
        entry = getattr(self, "entry", None)
        if entry is None:
            return
        assert entry.held(self.now) == self.held()
        assert entry.waiting(self.now) == (self.alive() and entry.state != PARKED and not self.held())

    @invariant()
    def no_wait_and_no_lease_is_longer_than_the_policy_whatever_became_of_the_clock(self):
        entry = getattr(self, "entry", None)
        if entry is None or self.clock_was_set_back():
            return
        tolerance = MINUTE + self.unnoticed
        assert entry.next_ring_at - self.now <= LONGEST_WAIT + tolerance
        assert entry.lease_until is None or entry.lease_until - self.now <= POLICY.lease + tolerance


TestLifeOfAChange = LifeOfAChange.TestCase
TestLifeOfAChange.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)
