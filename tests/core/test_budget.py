"""What a refresh may ring, in which order, and that nobody waits for ever."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from profilemesh_airflow.core.budget import Budget, queue
from profilemesh_airflow.core.diff import Change, Reason
from profilemesh_airflow.core.fingerprint import Fingerprint
from profilemesh_airflow.core.ledger import Deferred, Detected, Rung, advance, opened
from profilemesh_airflow.core.policy import LONGEST_WAIT, Policy
from profilemesh_airflow.core.table import TableRef
from tests.examples import examples

NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)
POLICY = Policy(redeliver_after=timedelta(minutes=1))
PRIORITIES = st.integers(-10, 10)


def change(name, *, priority=0, size=None, forced=False):
    reasons = (Reason("added", "table"), *([Reason("forced", "request")] if forced else ()))
    return Change(TableRef(name), reasons, Fingerprint("settings", "schema", "1"), priority, size)


def entry(name, *, deferrals=0, age=0, **details):
    """An open change, detected ``age`` minutes ago and deferred so often."""
    found = opened(name, change(name, **details), NOW - timedelta(minutes=age))
    for _ in range(deferrals):
        found = advance(found, Deferred(), NOW, POLICY)
    return found


def keys(entries):
    return [each.key for each in entries]


@pytest.mark.parametrize(
    ("changes", "order"),
    [
        ([entry("new"), entry("old", age=9)], ["old", "new"]),
        ([entry("b"), entry("a")], ["a", "b"]),
        (
            [entry("low", age=9, priority=-1), entry("high", priority=1), entry("usual", age=5)],
            ["high", "usual", "low"],
        ),
        ([entry("highest", age=9, priority=10), entry("forced", priority=-10, forced=True)], ["forced", "highest"]),
        ([entry("high", priority=2), entry("deferred", deferrals=3)], ["deferred", "high"]),
        ([entry("high", priority=3), entry("deferred", age=1, deferrals=3)], ["deferred", "high"]),
        ([entry("forced", forced=True), entry("deferred", priority=-10, deferrals=22)], ["deferred", "forced"]),
    ],
)
def test_the_queue_is_by_priority_and_deferrals_then_by_age(changes, order):
    assert keys(queue(changes)) == order
    assert keys(queue(reversed(changes))) == order


@pytest.mark.parametrize(
    ("limits", "rung", "deferred"),
    [
        ({}, ["a30", "b10", "c", "d60"], []),
        ({"tables": 4}, ["a30", "b10", "c", "d60"], []),
        ({"tables": 2}, ["a30", "b10"], ["c", "d60"]),
        ({"bytes": 100}, ["a30", "b10", "c", "d60"], []),
        ({"bytes": 99}, ["a30", "b10", "c"], ["d60"]),
        ({"bytes": 39}, ["a30", "c"], ["b10", "d60"]),
        ({"bytes": 30}, ["a30", "c"], ["b10", "d60"]),
        ({"bytes": 29}, ["a30"], ["b10", "c", "d60"]),
        ({"bytes": 39, "tables": 1}, ["a30"], ["b10", "c", "d60"]),
    ],
)
def test_a_budget_is_spent_in_the_order_of_the_queue_and_always_on_its_head(limits, rung, deferred):
    due = [entry("a30", size=30), entry("b10", size=10), entry("c"), entry("d60", size=60)]

    assert tuple(map(keys, Budget(**limits).split(due))) == (rung, deferred)


@pytest.mark.parametrize("limits", [{"tables": 0}, {"bytes": 0}, {"tables": 3, "bytes": -1}])
def test_a_budget_that_lets_nothing_be_rung_is_refused(limits):
    with pytest.raises(ValueError, match="would let nothing be rung; it must be at least 1"):
        Budget(**limits)


ENTRIES = st.lists(
    st.builds(
        entry,
        st.uuids().map(str),
        deferrals=st.integers(0, 25),
        age=st.integers(0, 9),
        priority=PRIORITIES,
        size=st.none() | st.integers(0, 1000),
        forced=st.booleans(),
    ),
    max_size=12,
)
BUDGETS = st.builds(Budget, tables=st.none() | st.integers(1, 5), bytes=st.none() | st.integers(1, 2000))


@given(BUDGETS, ENTRIES)
def test_no_more_is_rung_than_the_budget_allows_but_for_the_head_of_the_queue(budget, due):
    rung, deferred = budget.split(due)

    assert sorted(keys(rung + deferred)) == sorted(keys(due))
    assert (rung, deferred) == (queue(rung), queue(deferred))
    assert rung[:1] == queue(due)[:1]
    assert budget.tables is None or len(rung) <= budget.tables
    assert budget.bytes is None or len(rung) <= 1 or sum(each.estimated_bytes or 0 for each in rung) <= budget.bytes


@given(BUDGETS, ENTRIES)
def test_whoever_waits_would_not_have_fitted_beside_those_before_it(budget, due):
    rung, deferred = budget.split(due)

    order = queue(due)
    for waiting in deferred:
        before = [each for each in order[: order.index(waiting)] if each in rung]
        size = sum(each.estimated_bytes or 0 for each in [*before, waiting])
        assert len(before) == budget.tables or (budget.bytes is not None and size > budget.bytes)


class Ledger:
    """Open changes, and refreshes that share a budget out among them. Whatever is rung is due again by the next one."""

    def __init__(self, budget):
        self.budget = budget
        self.now = NOW
        self.entries = {}
        self.most = 0
        self.opened = 0

    def open(self, **details):
        self.opened += 1
        self.now += timedelta(seconds=1)
        found = opened(str(self.opened), change(f"t{self.opened:05}", **details), self.now)
        self.entries[found.key] = found
        self.most = max(self.most, len(self.entries))
        return found.key

    def refresh(self, looked_at=None):
        """The keys of those that are rung."""
        due = [each for key, each in self.entries.items() if looked_at is None or key in looked_at]
        assert all(each.to_ring(self.now) for each in due)
        rung, deferred = self.budget.split(due)
        for each, step in [*((each, Rung()) for each in rung), *((each, Deferred()) for each in deferred)]:
            self.entries[each.key] = advance(each, step, self.now, POLICY)
        self.now += LONGEST_WAIT
        return keys(rung)

    def deferrals_of(self, key):
        """How often it is deferred until it is rung, while a refresh follows the other."""
        for deferrals in range(1000):
            if key in self.refresh():
                return deferrals
        raise AssertionError(f"{key} is never rung")


@pytest.mark.parametrize(("tables", "open_changes"), [(1, 1), (1, 2), (1, 7), (1, 50), (2, 7), (3, 7), (5, 50)])
def test_one_of_lowest_priority_is_rung_in_time_though_forced_ones_are_due_in_every_refresh(tables, open_changes):
    ledger = Ledger(Budget(tables=tables))
    for _ in range(open_changes - 1):
        ledger.open(forced=True)
    last = ledger.open(priority=-10)

    waited = ledger.deferrals_of(last)

    # The bound is reached, so that it is the least there is: with one table a refresh, N + 20.
    assert waited == (21 + (open_changes - 1) // tables if open_changes > tables else 0)


def test_a_huge_one_of_lowest_priority_is_rung_in_time_though_new_ones_arrive_in_every_refresh():
    ledger = Ledger(Budget(bytes=100))
    huge = ledger.open(priority=-10, size=10**12)

    for refresh in range(22):
        arrived = ledger.open(forced=True, size=100)
        rung = ledger.refresh()
        assert rung == ([arrived] if refresh < 21 else [huge])
        ledger.entries = {key: each for key, each in ledger.entries.items() if key not in rung}


def test_those_that_are_rung_and_not_answered_do_not_keep_others_waiting():
    ledger = Ledger(Budget(tables=1))
    paused = [ledger.open() for _ in range(5)]
    arrived = ledger.open()

    assert [ledger.refresh() for _ in range(7)] == [[key] for key in [*paused, arrived, paused[0]]]


class Adversary(RuleBasedStateMachine):
    """Does its worst to keep some change waiting; see the bounds of :meth:`Budget.split`."""

    @initialize(budget=BUDGETS)
    def start(self, budget):
        self.ledger = Ledger(budget)
        self.edited = False
        self.died = 0

    @precondition(lambda self: len(self.ledger.entries) < 5)
    @rule(priority=PRIORITIES, size=st.none() | st.integers(0, 4000), forced=st.booleans())
    def arrive(self, priority, size, forced):
        self.ledger.open(priority=priority, size=size, forced=forced)

    @precondition(lambda self: self.ledger.entries)
    @rule(data=st.data())
    def close(self, data):
        del self.ledger.entries[data.draw(st.sampled_from(sorted(self.ledger.entries)))]

    @rule(times=st.integers(1, 30))
    def refresh(self, times):
        for _ in range(times):
            self.ledger.refresh()
            self.nobody_waits_longer_than_the_bound()

    @rule(data=st.data(), times=st.integers(1, 30))
    def refresh_some(self, data, times):
        looked_at = data.draw(st.sets(st.sampled_from(sorted(self.ledger.entries) or [""])))
        for _ in range(times):
            self.ledger.refresh(looked_at)
            self.nobody_waits_longer_than_the_bound()

    @rule()
    def refresh_that_dies_before_it_rings(self):
        before = self.ledger.entries.copy()
        for key in self.ledger.refresh():
            self.ledger.entries[key] = before[key]
        self.died += 1

    @precondition(lambda self: self.ledger.entries)
    @rule(data=st.data(), priority=PRIORITIES, forced=st.booleans())
    def edit_or_force(self, data, priority, forced):
        key = data.draw(st.sampled_from(sorted(self.ledger.entries)))
        step = Detected(change(key, priority=priority, forced=forced))
        self.ledger.entries[key] = advance(self.ledger.entries[key], step, self.ledger.now, POLICY)
        self.edited = True

    @invariant()
    def nobody_waits_longer_than_the_bound(self):
        ledger = getattr(self, "ledger", None)
        if ledger is None or not ledger.entries:
            return
        bound = 22 * ledger.most - 1 if self.edited else ledger.most + 20
        if ledger.budget.bytes is None and ledger.budget.tables and not self.edited:
            bound = (ledger.most - 1) // ledger.budget.tables + 21
        assert max(each.deferrals for each in ledger.entries.values()) <= bound + self.died


TestAdversary = Adversary.TestCase
TestAdversary.settings = settings(max_examples=examples(100), stateful_step_count=30, deadline=None)
