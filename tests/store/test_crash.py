"""A worker that is killed between any two statements."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from profilemesh_airflow.core.ledger import CLAIMED, PROFILED
from profilemesh_airflow.store import Store

ORDERS = "sales.orders"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills forked processes")


def die_at(step, settings, identity, policy, action):
    """Run ``action`` on the ledger in another process, and kill that before its ``step``-th statement or commit."""

    def run():
        with Store(settings) as store:
            ledger = store.ledger(identity, policy)
            steps = iter(range(1, 1000))

            def count(*_):
                if next(steps) == step:
                    os.kill(os.getpid(), signal.SIGKILL)

            event.listen(Engine, "before_cursor_execute", count)
            event.listen(Engine, "commit", count)
            action(ledger)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    return process.exitcode


def crash_everywhere(world, settings, action, check):
    """Kill ``action`` at every step in turn, calling ``check`` after each; returns how often it was killed."""
    for step in range(1, 100):
        world.store.close()
        exitcode = die_at(step, settings, world.identity, world.policy, action)
        if exitcode == 0:
            return step - 1
        assert exitcode == -signal.SIGKILL
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


def test_a_refresh_is_recorded_whole_or_not_at_all(world, settings, sql):
    world.settle("removed", "moved")
    world.put("moved", "added", version="2")
    world.drop("removed")
    looked = world.look()
    before = world.ledger.view()

    def nothing_was_written():
        after = world.ledger.view()
        assert (after.entries, after.baselines) == (before.entries, before.baselines)

    killed = crash_everywhere(world, settings, lambda ledger: ledger.record(*looked), nothing_was_written)
    assert killed >= 5
    assert set(world.ledger.open_entries()) == {"sales.moved", "sales.added"}
    assert set(world.ledger.baselines()) == {"sales.moved"}
