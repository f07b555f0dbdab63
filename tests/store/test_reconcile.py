"""What a refresh decides to write, whatever it finds in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.diff import Baseline, Change, Diff, Reason
from profilemesh_airflow.core.fingerprint import Fingerprint
from profilemesh_airflow.core.ledger import (
    CLAIMED,
    CLOSED,
    OPEN,
    RETIRED,
    Claimed,
    Deferred,
    Detected,
    Expired,
    Failed,
    Rung,
    advance,
    opened,
)
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store.reconcile import LedgerView, reconcile, reopen

NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)
POLICY = Policy(max_attempts=2)
KEYS = ("a", "b", "c", "d")
CLAIM, FAIL = Claimed("worker"), Failed("boom")
LIVES = {
    "open": [],
    "rung": [Rung()],
    "deferred": [Deferred(), Deferred()],
    "claimed": [CLAIM],
    "dead": [CLAIM, timedelta(hours=1)],
    "dead for the last time": [CLAIM, FAIL, CLAIM, timedelta(hours=1)],
    "given back": [CLAIM, timedelta(hours=1), Expired()],
    "parked": [CLAIM, FAIL, CLAIM, FAIL],
    "from before the clock was set back": [Rung(), CLAIM, timedelta(days=-1)],
}


def at(version):
    return Fingerprint("settings", "schema", version)


def change(key, version, *, forced=False, **more):
    reasons = (Reason("data", "version", "0", version), *([Reason("forced", "request", None, "x")] if forced else []))
    return Change(TableRef(key), reasons, at(version), **more)


def lived(key, life, version="1", **more):
    """A change after a life that ends now."""
    now = NOW - sum((step for step in LIVES[life] if isinstance(step, timedelta)), timedelta(0))
    entry = opened(f"id {key}", change(key, version, **more), now)
    for step in LIVES[life]:
        if isinstance(step, timedelta):
            now += step
        else:
            entry = advance(entry, step, now, POLICY)
    assert now == NOW
    return entry


def baseline(key, version):
    return Baseline(TableRef(key), at(version), "{}", "{}", version, NOW - timedelta(hours=2), f"run {key}")


@dataclass
class Case:
    """What was seen, what is there by now, what the refresh found, and what it may ring."""

    seen: LedgerView
    current: LedgerView
    diff: Diff
    budget: Budget | None

    def writes(self):
        numbers = count()
        return reconcile(self.diff, self.seen, self.current, POLICY, lambda: f"new {next(numbers)}", self.budget)

    def after(self, writes):
        """The changes as they are then, by key."""
        return {**self.current.entries, **{entry.key: entry for entry in (*writes.moved, *writes.new)}}


versions = st.sampled_from("123")


@st.composite
def cases(draw):
    entries, baselines, revisions, seen_revisions = {}, {}, {}, {}
    for key in KEYS:
        life = draw(st.none() | st.sampled_from(sorted(LIVES)))
        if life:
            size = draw(st.none() | st.integers(0, 100))
            priority = draw(st.integers(-10, 10))
            entries[key] = entry = lived(key, life, draw(versions), priority=priority, estimated_bytes=size)
            revisions[entry.change_id] = 5
            seen_revisions[entry.change_id] = draw(st.sampled_from([5, 4]))
        if draw(st.booleans()):
            baselines[key] = baseline(key, draw(versions))
    found = {key: draw(st.sampled_from(["changed", "forced", "removed", "unchanged"])) for key in KEYS}
    diff = Diff(
        tuple(
            change(key, draw(versions), forced=kind == "forced", priority=draw(st.integers(-10, 10)))
            for key, kind in found.items()
            if kind in ("changed", "forced")
        ),
        tuple(TableRef(key) for key, kind in found.items() if kind == "removed"),
        tuple(key for key, kind in found.items() if kind == "unchanged"),
    )
    budget = draw(st.none() | st.builds(Budget, st.none() | st.integers(1, 4), st.none() | st.integers(1, 200)))
    current = LedgerView(NOW, baselines, entries, revisions)
    return Case(replace(current, revisions=seen_revisions), current, diff, budget)


@given(cases())
def test_every_table_that_differs_has_an_open_change_with_its_target(case):
    after = case.after(case.writes())
    for found in case.diff.changes:
        known = case.current.baselines.get(found.key)
        if known is None or known.fingerprint != found.target or found.forced:
            assert after[found.key].state != CLOSED
            assert after[found.key].target == found.target
            assert after[found.key].forced_revision or not found.forced


@given(cases())
def test_nothing_is_closed_or_forgotten_on_old_news(case):
    writes = case.writes()
    closed = {entry.key for entry in (*writes.moved, *writes.new) if entry.state == CLOSED}
    for key in closed | set(writes.forgotten):
        assert case.seen.mark(key) == case.current.mark(key)
        assert key not in {found.key for found in case.diff.changes}


@given(cases())
def test_no_lease_that_ran_out_stays(case):
    for entry in case.after(case.writes()).values():
        assert entry.state != CLAIMED or entry.held(NOW)


@given(cases())
def test_all_that_is_due_is_rung_or_deferred(case):
    writes = case.writes()
    after = case.after(writes)
    rung = {entry.key for entry in writes.to_ring}
    due = {entry.key for entry in after.values() if entry.to_ring(NOW)}
    assert rung <= due
    assert bool(rung) == bool(due)
    assert [after[entry.key] for entry in writes.to_ring] == list(writes.to_ring)
    assert [entry.urgency for entry in writes.to_ring] == sorted((e.urgency for e in writes.to_ring), reverse=True)
    for key in due:
        before = case.current.entries.get(key)
        assert after[key].deferrals == (before.deferrals if before else 0) + (key not in rung)
    if case.budget is None:
        assert rung == due
    elif case.budget.tables:
        assert len(rung) <= case.budget.tables


@given(cases())
def test_each_row_is_written_once(case):
    writes = case.writes()
    keys = [entry.key for entry in (*writes.new, *writes.moved)]
    assert len(keys) == len(set(keys))
    assert {entry.key for entry in writes.new}.isdisjoint(case.current.entries)
    assert all(entry != case.current.entries[entry.key] for entry in writes.moved)
    moved = {entry.change_id for entry in writes.moved}
    assert moved.isdisjoint(writes.confirmed)
    seen_again = {case.current.entries[c.key].change_id for c in case.diff.changes if c.key in case.current.entries}
    answered = {
        case.current.entries[found.key].change_id
        for found in case.diff.changes
        if found.key in case.current.entries
        and not found.forced
        and found.key in case.current.baselines
        and case.current.baselines[found.key].fingerprint == found.target
    }
    assert seen_again - answered <= moved | set(writes.confirmed)


@given(cases())
def test_the_same_refresh_again_opens_and_closes_nothing_more(case):
    writes = case.writes()
    entries = {key: entry for key, entry in case.after(writes).items() if entry.state != CLOSED}
    known = {key: known for key, known in case.current.baselines.items() if key not in writes.forgotten}
    view = LedgerView(NOW, known, entries, {entry.change_id: 6 for entry in entries.values()})
    changes = tuple(replace(found, reasons=found.reasons[:1]) for found in case.diff.changes)
    again = Case(case.seen, view, Diff(changes, case.diff.removed, case.diff.unchanged), Budget()).writes()
    assert again.new == again.forgotten == ()
    assert all(entry.state != CLOSED for entry in again.moved)


@pytest.mark.parametrize("life", sorted(LIVES))
def test_a_table_that_is_gone_is_retired_whatever_becomes_of_its_change(life):
    view = LedgerView(NOW, {"a": baseline("a", "1")}, {"a": lived("a", life)}, {"id a": 1})
    writes = Case(view, view, Diff((), (TableRef("a"),), ()), None).writes()
    assert [entry.outcome for entry in writes.moved] == [RETIRED]
    assert (writes.new, writes.forgotten, writes.to_ring) == ((), ("a",), ())


@given(cases(), st.lists(st.sampled_from((*KEYS, "unknown"))))
def test_what_is_reopened_is_forced_at_the_target_that_it_has_or_had(case, keys):
    numbers = count()
    writes = reopen([TableRef(key) for key in keys], "again", case.current, POLICY, lambda: f"new {next(numbers)}")
    after = case.after(writes)
    known = {*case.current.entries, *case.current.baselines}
    for key in known.intersection(keys):
        before = case.current.entries.get(key)
        entry = after[key]
        assert entry.target == (before.target if before else case.current.baselines[key].fingerprint)
        assert entry.state == OPEN or entry.held(NOW)
        assert entry.to_ring(NOW) or entry.held(NOW)
        assert [str(reason) for reason in entry.reasons if reason.kind == "forced"] == ["forced: again"]
        assert entry.forced_revision == entry.target_revision
        assert before is None or entry.target_revision == before.target_revision + 1
    assert {entry.key for entry in writes.new} == (set(keys) & set(case.current.baselines)) - set(case.current.entries)
    assert not writes.forgotten


def test_a_detected_change_of_a_dead_workers_table_is_a_new_chance():
    view = LedgerView(NOW, {}, {"a": lived("a", "dead for the last time")}, {"id a": 1})
    again = Case(view, view, Diff((change("a", "1"),), (), ()), None).writes()
    moved = Case(view, view, Diff((change("a", "2"),), (), ()), None).writes()
    assert (again.to_ring, [entry.state for entry in again.moved]) == ((), ["parked"])
    assert [(entry.state, entry.attempts) for entry in moved.to_ring] == [(OPEN, 0)]
    assert advance(moved.to_ring[0], Detected(change("a", "2")), NOW, POLICY) is moved.to_ring[0]
