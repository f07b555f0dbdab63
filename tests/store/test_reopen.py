"""Having tables profiled again, whatever changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profilemesh_airflow.core.ledger import CLAIMED, OPEN, PARKED
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.table import TableRef

ORDERS = "sales.orders"
REF = TableRef("orders", "sales")


def test_a_table_that_is_current_is_profiled_again_at_its_baseline(world):
    world.settle("orders", "items")
    (entry,) = world.ledger.reopen([REF], "metrics were wrong")
    assert [str(reason) for reason in entry.reasons] == ["forced: metrics were wrong"]
    assert entry.target == world.ledger.baselines()[ORDERS].fingerprint
    assert world.ledger.open_entries() == {ORDERS: entry}
    assert world.ring() == ["orders"]
    world.profile(ORDERS)
    assert world.refresh() == []


def test_an_open_change_keeps_its_target_and_its_other_reasons(world):
    world.put("orders", priority=3)
    world.ring()
    (entry,) = world.ledger.reopen([REF], "please")
    assert (entry.target, entry.priority) == (world.tables[ORDERS].fingerprint, 3)
    assert [str(reason) for reason in entry.reasons] == ["added", "forced: please"]
    (again,) = world.ledger.reopen([REF], "at once")
    assert [str(reason) for reason in again.reasons] == ["added", "forced: at once"]
    assert world.ring() == ["orders"]


def test_a_parked_change_is_opened(world):
    world.policy = Policy(max_attempts=1)
    world.put("orders")
    world.refresh()
    world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "boom")
    assert world.ledger.open_entries()[ORDERS].state == PARKED
    (entry,) = world.ledger.reopen([REF], "mended")
    assert (entry.state, entry.attempts) == (OPEN, 0)


def test_a_claimed_change_is_profiled_once_more_after_the_present_claim(world):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    (entry,) = world.ledger.reopen([REF], "please")
    assert (entry.state, entry.token) == (CLAIMED, claim.token)
    assert world.ledger.commit(claim, world.run_of(ORDERS)).state == OPEN
    assert world.ring() == ["orders"]


@pytest.mark.parametrize("hours", [2, -48])
def test_a_dead_workers_claim_does_not_hold_it_up(world, travel, hours):
    world.put("orders")
    world.ring()
    world.ledger.claim(ORDERS, "worker")
    travel(hours=hours)
    (entry,) = world.ledger.reopen([REF], "please")
    assert (entry.state, entry.attempts) == (OPEN, 0)
    assert world.ring() == ["orders"]


def test_tables_that_the_ledger_does_not_know_are_left_out(world):
    world.settle("orders")
    refs = [TableRef("unknown", "sales"), REF, REF, TableRef("orders")]
    assert [entry.ref for entry in world.ledger.reopen(refs, "all")] == [REF]
    assert world.ledger.reopen([], "all") == []


def test_another_configuration_is_not_touched(world):
    world.settle("orders")
    other = replace(world, identity=replace(world.identity, environment="prod"))
    assert other.ledger.reopen([REF], "please") == []
    assert world.ledger.open_entries() == {}


def test_two_at_once_open_one_change(world, at_once):
    world.settle("orders")
    reopened = at_once(lambda store, number: store.ledger(world.identity, world.policy).reopen([REF], f"{number}"))
    assert len({entry.change_id for entries in reopened for entry in entries}) == 1
    assert world.ledger.open_entries()[ORDERS].target_revision == 4
