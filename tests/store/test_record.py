"""What a refresh writes into the ledger, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from profilemesh_airflow.core.ledger import CLOSED, OPEN, PARKED, PROFILED, RETIRED, WITHDRAWN
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from tests.sent import statements_sent

ORDERS, ITEMS = "sales.orders", "sales.items"


def state_of(world, key=ORDERS):
    entry = world.ledger.open_entries().get(key)
    return None if entry is None else entry.state


def kinds(entry):
    return [reason.kind for reason in entry.reasons]


def test_a_new_table_is_an_open_change_that_is_to_be_rung(world):
    world.put("orders", "items")
    rung = world.refresh()
    assert [entry.key for entry in rung] == [ITEMS, ORDERS]
    assert world.ledger.open_entries() == {entry.key: entry for entry in rung}
    assert kinds(rung[1]) == ["added"]
    assert rung[1].target == world.tables[ORDERS].fingerprint


def test_a_rung_change_is_not_rung_again_before_its_time(world):
    world.put("orders")
    rung = world.refresh()
    world.ledger.mark_rung([entry.change_id for entry in rung])
    assert world.refresh() == []
    world.policy = Policy(redeliver_after=timedelta(0))
    world.ledger.mark_rung([entry.change_id for entry in rung])
    assert [entry.rings for entry in world.refresh()] == [2]


def test_an_unchanged_table_is_left_alone(world):
    world.settle("orders")
    assert world.refresh() == []
    assert world.ledger.open_entries() == {}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"version": "2"}, "data"),
        ({"metrics": ("count", "histogram")}, "settings"),
        ({"info": None, "missing": True, "data_version": None}, "schema"),
    ],
)
def test_a_changed_table_is_an_open_change_with_its_reason(world, edit, reason):
    world.settle("orders")
    world.put("orders", **edit)
    assert [kinds(entry) for entry in world.refresh()] == [[reason]]


def test_an_unknown_data_version_grows_stale(world):
    world.settle("orders", data_version=None)
    assert world.refresh() == []
    world.policy = Policy(profile_after=timedelta(0))
    assert [kinds(entry) for entry in world.refresh()] == [["stale"]]


def test_a_further_change_moves_the_target_of_the_open_one(world):
    world.put("orders")
    (first,) = world.refresh()
    world.put("orders", version="2")
    (second,) = world.refresh()
    assert second.change_id == first.change_id
    assert second.target == world.tables[ORDERS].fingerprint
    assert second.target_revision == 2


def test_a_table_that_returns_to_its_baseline_is_withdrawn_and_may_change_again(world):
    world.settle("orders", version="A")
    world.put("orders", version="B")
    world.refresh()
    world.put("orders", version="A")
    assert world.refresh() == []
    assert world.ledger.history(ORDERS)[0].outcome == WITHDRAWN
    world.put("orders", version="B")
    assert [entry.key for entry in world.refresh()] == [ORDERS]


def test_a_forced_change_is_not_withdrawn(world):
    world.settle("orders")
    (forced,) = world.refresh(forced={ORDERS: "please"})
    assert str(forced.reasons[0]) == "forced: please"
    assert [entry.key for entry in world.refresh()] == [ORDERS]


def test_a_parked_change_waits_for_a_new_target(world):
    world.policy = Policy(max_attempts=1, redeliver_after=timedelta(0))
    world.put("orders")
    world.refresh()
    world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "boom")
    assert state_of(world) == PARKED
    assert world.refresh() == []
    assert world.ledger.claim(ORDERS, "worker") is None
    world.put("orders", version="2")
    (entry,) = world.refresh()
    assert (entry.state, entry.attempts) == (OPEN, 0)


def test_a_parked_change_is_opened_by_force(world):
    world.policy = Policy(max_attempts=1)
    world.put("orders")
    world.refresh()
    world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "boom")
    assert [entry.state for entry in world.refresh(forced={ORDERS: "again"})] == [OPEN]


def test_a_removed_table_is_retired_and_comes_back_as_added(world):
    world.settle("orders")
    world.put("orders", version="2")
    world.refresh()
    entry = world.tables[ORDERS]
    world.drop("orders")
    assert world.refresh() == []
    assert world.ledger.baselines() == {}
    assert world.ledger.open_entries() == {}
    retired = world.ledger.history(ORDERS)[0]
    assert (retired.outcome, kinds(retired)) == (RETIRED, ["data", "removed"])
    world.tables[ORDERS] = entry
    assert [kinds(entry) for entry in world.refresh()] == [["added"]]
    assert [entry.outcome for entry in world.ledger.history(ORDERS)] == [None, RETIRED, PROFILED]


def test_a_removed_table_without_an_open_change_leaves_its_trace_once(world):
    world.settle("orders")
    world.drop("orders")
    world.refresh()
    world.refresh()
    newest, *older = world.ledger.history(ORDERS)
    assert (newest.state, newest.outcome, kinds(newest)) == (CLOSED, RETIRED, ["removed"])
    assert [entry.outcome for entry in older] == [PROFILED]


def test_a_table_that_leaves_before_it_was_ever_profiled_is_retired(world):
    world.put("orders", "items")
    world.refresh()
    world.drop("orders")
    assert [entry.key for entry in world.refresh()] == [ITEMS]
    assert world.ledger.history(ORDERS)[0].outcome == RETIRED


def test_looking_at_some_tables_leaves_the_others_alone(world):
    world.settle("orders", "items")
    world.put("orders", "items", version="2")
    world.drop("items")
    assert [entry.key for entry in world.refresh(only={ORDERS})] == [ORDERS]
    assert set(world.ledger.baselines()) == {ORDERS, ITEMS}


def test_two_configurations_share_a_store_without_meeting(world):
    world.settle("orders")
    other = replace(world, identity=Identity("test", "another"), tables={})
    other.put("orders", version="other")
    assert [kinds(entry) for entry in other.refresh()] == [["added"]]
    assert world.refresh() == []
    other.profile(ORDERS)
    other.drop("orders")
    other.refresh()
    assert set(world.ledger.baselines()) == {ORDERS}
    assert world.results.latest(ORDERS).run_id != other.results.latest(ORDERS).run_id


class TestOldNews:
    """A refresh that looked, and records only after others have written."""

    def test_does_not_withdraw_what_another_refresh_opened(self, world):
        world.settle("orders")
        unchanged = world.look()
        world.put("orders", version="2")
        world.refresh()
        world.ledger.record(*unchanged)
        assert state_of(world) == OPEN

    def test_does_not_withdraw_what_another_refresh_saw_again(self, world):
        world.settle("orders", version="A")
        world.put("orders", version="B")
        world.refresh()
        world.put("orders", version="A")
        unchanged = world.look()
        world.put("orders", version="B")
        world.refresh()
        world.ledger.record(*unchanged)
        assert state_of(world) == OPEN

    def test_does_not_withdraw_what_a_commit_left_open(self, world):
        world.settle("orders", version="A")
        world.put("orders", version="B")
        world.refresh()
        claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)
        world.put("orders", version="C")
        world.refresh()
        world.put("orders", version="A")
        unchanged = world.look()
        world.ledger.commit(claim, run)
        world.ledger.record(*unchanged)
        assert state_of(world) == OPEN

    def test_does_not_open_what_a_worker_has_profiled_meanwhile(self, world):
        world.put("orders")
        world.refresh()
        changed = world.look()
        world.profile(ORDERS)
        assert world.ledger.record(*changed) == []
        assert state_of(world) is None

    def test_opens_what_was_withdrawn_meanwhile(self, world):
        world.settle("orders", version="A")
        world.put("orders", version="B")
        world.refresh()
        changed = world.look()
        world.put("orders", version="A")
        world.refresh()
        assert state_of(world) is None
        world.ledger.record(*changed)
        assert state_of(world) == OPEN

    def test_forces_all_the_same(self, world):
        world.put("orders")
        world.refresh()
        forced = world.look(forced={ORDERS: "please"})
        world.profile(ORDERS)
        assert [kinds(entry) for entry in world.ledger.record(*forced)] == [["added", "forced"]]

    @pytest.mark.parametrize("looked", ["before the change was opened", "after"])
    def test_does_not_retire_a_table_that_was_profiled_meanwhile(self, world, looked):
        world.settle("orders", version="1")
        world.put("orders", version="2")
        if looked == "after":
            world.refresh()
        kept = world.tables.pop(ORDERS)
        removed = world.look()
        world.tables[ORDERS] = kept
        world.refresh()
        world.profile(ORDERS)
        world.ledger.record(*removed)
        assert set(world.ledger.baselines()) == {ORDERS}
        assert {entry.outcome for entry in world.ledger.history(ORDERS)} == {PROFILED}

    def test_two_refreshes_retire_a_table_once(self, world):
        world.settle("orders")
        world.drop("orders")
        first, second = world.look(), world.look()
        world.ledger.record(*first)
        world.ledger.record(*second)
        assert [entry.outcome for entry in world.ledger.history(ORDERS)] == [RETIRED, PROFILED]


def test_removing_a_table_ends_the_claim_on_it(world):
    world.put("orders")
    world.refresh()
    world.ledger.claim(ORDERS, "worker")
    world.drop("orders")
    world.refresh()
    assert world.ledger.history(ORDERS)[0].outcome == RETIRED


def test_a_thousand_changes_take_a_handful_of_statements(world):
    names = [f"t{number}" for number in range(1000)]

    def counted(**looking):
        found = world.look(**looking)
        with statements_sent() as statements:
            rung = world.ledger.record(*found)
        return len(rung), len(statements)

    world.ledger.now()
    world.put(*names)
    opened, inserting = counted()
    world.put(*names, version="2")
    moved, updating = counted()
    world.tables.clear()
    retired, removing = counted()
    assert (opened, moved, retired) == (1000, 1000, 0)
    assert max(inserting, updating, removing) <= 8, (inserting, updating, removing)


def test_doorbells_of_closed_changes_are_not_noted(world):
    world.put("orders")
    (entry,) = world.refresh()
    world.profile(ORDERS)
    world.ledger.mark_rung([entry.change_id, "nonsense"])
    (closed,) = world.ledger.entries([entry.change_id])
    assert (closed.state, closed.rings) == (CLOSED, 0)


def test_entries_and_baselines_are_read_by_key_too(world):
    world.settle("orders")
    world.put("orders", "items", version="2")
    world.refresh()
    assert set(world.ledger.open_entries({ITEMS})) == {ITEMS}
    assert set(world.ledger.baselines([ORDERS, ITEMS])) == {ORDERS}
    assert world.ledger.baselines([]) == {}
