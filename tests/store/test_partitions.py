"""What is known of partitions belongs to the baseline that it was found out with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from profilemesh_airflow.core.ledger import CLAIMED, OPEN
from profilemesh_airflow.core.merge import ColumnState, PartitionState
from profilemesh_airflow.exceptions import ClaimLostError

ORDERS = "sales.orders"
STATES = (
    PartitionState("2024-01-01", "3 17", 3, {"n": ColumnState(3, 3, -1, 2**70, 0.1 + 0.2, 1e300), "s": ColumnState(2)}),
    PartitionState(None, "1 ", 1, {}),
    PartitionState("\ud800 'x", "0", 0, {"t": ColumnState(1, 0, "1899-12-31", "2024-01-01")}),
    PartitionState(5, "1", 1, {}),
    PartitionState("5", "1", 1, {}),
)


def profile(world, run_id, states=()):
    world.put("orders", version=run_id)
    world.refresh()
    world.profile(ORDERS, run_id=run_id, partitions=states)


def known(world, run_id, key=ORDERS):
    return world.results.partitions(run_id, key)


def test_states_come_back_as_they_were(world):
    profile(world, "one", STATES)
    assert known(world, "one") == {state.digest: state for state in STATES}
    assert len(known(world, "one")) == len(STATES)


def test_a_later_profile_replaces_them_all(world):
    profile(world, "one", STATES)
    profile(world, "two", STATES[1:2])
    assert list(known(world, "two").values()) == [STATES[1]]
    assert known(world, "one") == {}


def test_after_a_profile_that_found_none_there_are_none(world):
    profile(world, "one", STATES)
    profile(world, "two")
    assert known(world, "two") == {}


def test_they_are_those_of_one_table_and_go_with_its_baseline(world, sql):
    profile(world, "one", STATES)
    assert known(world, "one", "sales.items") == {}
    world.tables.clear()
    world.refresh()
    assert known(world, "one") == {}
    assert sql.one("SELECT count(*) FROM profilemesh_partitions") == 0


def test_a_change_that_is_put_off_stays_open_and_says_why(world):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    postponed = world.ledger.postpone(claim, "too dear")
    found = world.ledger.open_entries()[ORDERS]
    assert found == postponed
    assert (found.state, found.postponed, found.attempts, found.last_error) == (OPEN, "too dear", 0, None)
    assert found.next_ring_at - found.updated_at == timedelta(minutes=15)
    assert world.results.runs(ORDERS) == []
    with pytest.raises(ClaimLostError):
        world.ledger.postpone(claim, "again")

    again = world.ledger.claim(ORDERS, "worker")
    assert (again.state, again.postponed) == (CLAIMED, None)
    assert world.ledger.commit(again, world.run_of(ORDERS)).outcome == "profiled"
