"""A worker that is killed between any two statements."""

from __future__ import annotations

import sys

import pytest

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.ledger import CLAIMED, OPEN, PROFILED
from profilemesh_airflow.store import Store
from tests.store.kill import kill_at

ORDERS = "sales.orders"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills forked processes")


def crash_everywhere(world, settings, action, check):
    """Kill ``action`` on the ledger at every step in turn, calling ``check`` after each; returns how often."""

    def work():
        with Store(settings) as store:
            action(store.ledger(world.identity, world.policy))

    for step in range(1, 100):
        world.store.close()
        if not kill_at(step, work):
            return step - 1
        check()
    raise AssertionError("it never came to an end")


def test_a_commit_is_whole_or_not_at_all(world, settings, sql):
    world.put("orders")
    world.refresh()
    claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)

    def nothing_was_written():
        counts = [sql.count(f"profilemesh_{name}") for name in ("runs", "results", "table_state")]
        assert counts == [0, 0, 0]
        assert world.ledger.open_entries()[ORDERS] == claim
        assert claim.state == CLAIMED
        sql.engine.dispose()

    killed = crash_everywhere(world, settings, lambda ledger: ledger.commit(claim, run), nothing_was_written)
    assert killed >= 8
    assert world.ledger.history(ORDERS)[0].outcome == PROFILED
    assert world.results.latest(ORDERS).run_id == run.run_id


def test_a_failure_is_recorded_whole_or_not_at_all(world, settings, stored):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")

    def nothing_was_written():
        assert world.ledger.open_entries()[ORDERS] == claim
        assert stored() == [0, 0, 0]

    killed = crash_everywhere(world, settings, lambda ledger: ledger.fail(claim, "boom"), nothing_was_written)
    assert killed >= 5
    assert world.ledger.open_entries()[ORDERS].attempts == 1
    assert stored() == [1, 0, 0]


def test_a_claim_after_a_lease_that_ran_out_is_taken_whole_or_not_at_all(world, settings, travel):
    world.put("orders")
    world.refresh()
    dead = world.ledger.claim(ORDERS, "dead")
    travel(hours=2)

    def nothing_was_written():
        assert world.ledger.open_entries()[ORDERS] == dead

    killed = crash_everywhere(world, settings, lambda ledger: ledger.claim(ORDERS, "worker"), nothing_was_written)
    assert killed >= 3
    claim = world.ledger.open_entries()[ORDERS]
    assert (claim.claimed_by, claim.attempts, claim.token) == ("worker", 1, 2)


def test_a_refresh_is_recorded_whole_or_not_at_all(world, settings, travel):
    world.settle("removed", "moved")
    world.put("claimed")
    world.refresh()
    world.ledger.claim("sales.claimed", "dead")
    travel(hours=2)
    world.put("moved", "added", version="2")
    world.drop("removed")
    looked = world.look()
    before = world.ledger.view()

    def nothing_was_written():
        after = world.ledger.view()
        assert (after.entries, after.baselines) == (before.entries, before.baselines)

    killed = crash_everywhere(
        world, settings, lambda ledger: ledger.record(*looked, Budget(tables=1)), nothing_was_written
    )
    assert killed >= 5
    entries = world.ledger.open_entries()
    assert {entry.ref.table: (entry.state, entry.deferrals) for entry in entries.values()} == {
        "claimed": (OPEN, 0),
        "moved": (OPEN, 1),
        "added": (OPEN, 1),
    }
    assert set(world.ledger.baselines()) == {"sales.moved"}
