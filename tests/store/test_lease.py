"""A lease: kept alive, run out, or not to be trusted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profilemesh_airflow.core.ledger import CLAIMED, LEASE_EXPIRED, OPEN, PARKED, PROFILED, WITHDRAWN
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import ClaimLostError

ORDERS = "sales.orders"


@pytest.fixture
def claim(world):
    """A claim on the table ``orders``, which was rung; the lease is an hour."""
    world.put("orders")
    world.ring()
    return world.ledger.claim(ORDERS, "worker")


def change_of(world, claim):
    (entry,) = world.ledger.entries([claim.change_id])
    return entry


def test_a_claimed_change_is_not_rung_until_its_lease_ends(world, claim, travel):
    travel(minutes=59)
    assert world.refresh() == []
    travel(minutes=1)
    (entry,) = world.refresh()
    assert (entry.change_id, entry.state, entry.claimed_by) == (claim.change_id, OPEN, None)
    assert (entry.attempts, entry.last_error_type) == (1, LEASE_EXPIRED)
    assert "worker" in entry.last_error


def test_a_heartbeat_keeps_the_claim(world, claim, travel):
    travel(minutes=50)
    renewed = world.ledger.renew(claim)
    assert renewed == replace(claim, lease_until=renewed.updated_at + world.policy.lease, updated_at=renewed.updated_at)
    assert change_of(world, claim) == renewed
    travel(minutes=50)
    assert world.refresh() == []
    assert world.ledger.claim(ORDERS, "another") is None
    assert world.ledger.commit(claim, world.run_of(ORDERS)).outcome == PROFILED


def test_a_heartbeat_after_the_lease_ran_out_revives_a_claim_that_nobody_noticed(world, claim, travel):
    travel(hours=2)
    world.ledger.renew(claim)
    assert world.ledger.claim(ORDERS, "another") is None


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        (lambda world, claim: world.ledger.claim(ORDERS, "another"), "another worker took it over"),
        (lambda world, claim: world.refresh(), "a refresh took note"),
        (lambda world, claim: world.ledger.fail(claim, "boom"), "given back before"),
        (lambda world, claim: world.profile(ORDERS), "profiled meanwhile"),
        (lambda world, claim: world.tables.clear() or world.refresh(), "retired meanwhile"),
    ],
)
def test_a_claim_that_is_over_is_neither_renewed_nor_failed(world, claim, travel, stored, meanwhile, why):
    travel(hours=2)
    meanwhile(world, claim)
    before, rows = change_of(world, claim), stored()
    with pytest.raises(ClaimLostError, match=why):
        world.ledger.renew(claim)
    with pytest.raises(ClaimLostError, match=why):
        world.ledger.fail(claim, "too late")
    assert (change_of(world, claim), stored()) == (before, rows)


def test_whoever_claims_after_the_lease_counts_it_as_a_failed_attempt(world, claim, travel):
    travel(hours=2)
    second = world.ledger.claim(ORDERS, "second")
    assert (second.state, second.claimed_by, second.token) == (CLAIMED, "second", claim.token + 1)
    assert (second.attempts, second.last_error_type) == (1, LEASE_EXPIRED)
    assert second.lease_until == second.updated_at + world.policy.lease


def test_a_change_whose_workers_keep_dying_is_parked_by_whoever_comes_next(world, claim, travel):
    world.policy = Policy(max_attempts=2)
    travel(hours=2)
    assert world.ledger.claim(ORDERS, "second").attempts == 1
    travel(hours=2)
    assert world.ledger.claim(ORDERS, "third") is None
    parked = change_of(world, claim)
    assert (parked.state, parked.attempts, parked.token) == (PARKED, 2, 2)
    assert "second" in parked.last_error
    assert world.refresh() == []


def test_a_change_whose_workers_keep_dying_is_parked_by_a_refresh(world, claim, travel):
    world.policy = Policy(max_attempts=1)
    travel(hours=2)
    assert world.refresh() == []
    assert change_of(world, claim).state == PARKED


def test_a_lease_that_ran_out_does_not_hold_back_a_withdrawal(world, travel):
    world.settle("orders", version="A")
    world.put("orders", version="B")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    world.put("orders", version="A")
    world.refresh()
    assert change_of(world, claim).state == CLAIMED
    travel(hours=2)
    world.refresh()
    assert change_of(world, claim).outcome == WITHDRAWN


def test_only_the_tables_that_were_looked_at_lose_their_claims(world, claim, travel):
    world.put("items")
    travel(hours=2)
    world.refresh(only={"sales.items"})
    assert change_of(world, claim) == claim


class TestALateCommit:
    """The worker was alive all the time, and comes back after its lease."""

    def test_counts_while_nobody_noticed(self, world, claim, travel):
        travel(hours=2)
        assert world.ledger.commit(claim, world.run_of(ORDERS)).outcome == PROFILED

    @pytest.mark.parametrize(("max_attempts", "state"), [(5, OPEN), (1, PARKED)])
    def test_counts_after_a_refresh_gave_the_change_back(self, world, claim, travel, stored, max_attempts, state):
        world.policy = Policy(max_attempts=max_attempts)
        travel(hours=2)
        world.ring()
        assert change_of(world, claim).state == state
        closed = world.ledger.commit(claim, world.run_of(ORDERS))
        assert closed.outcome == PROFILED
        assert stored() == [1, 3, 1]
        assert world.refresh() == []

    def test_leaves_the_change_open_for_a_target_that_moved(self, world, claim, travel):
        run = world.run_of(ORDERS)
        travel(hours=2)
        world.put("orders", version="2")
        world.ring()
        assert world.ledger.commit(claim, run).state == OPEN
        assert world.ring() == ["orders"]

    def test_is_refused_once_another_worker_has_the_change(self, world, claim, travel, stored):
        travel(hours=2)
        second = world.ledger.claim(ORDERS, "second")
        with pytest.raises(ClaimLostError, match=r"claim of worker on table sales\.orders is over: its lease ran out"):
            world.ledger.commit(claim, world.run_of(ORDERS))
        assert stored() == [0, 0, 0]
        assert world.ledger.commit(second, world.run_of(ORDERS)).outcome == PROFILED

    def test_is_refused_once_the_table_has_returned_to_its_baseline(self, world, travel, stored):
        world.settle("orders", version="A")
        world.put("orders", version="B")
        world.refresh()
        claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)
        world.put("orders", version="A")
        travel(hours=2)
        world.refresh()
        before = stored()
        with pytest.raises(ClaimLostError, match="withdrawn meanwhile"):
            world.ledger.commit(claim, run)
        assert stored() == before


class TestAClockThatWasSetBack:
    """What was written before is from the future, and its times would last until the clock has caught up."""

    def test_does_not_keep_a_dead_workers_change_from_coming_back(self, world, claim, travel):
        travel(days=-30)
        assert world.ring() == ["orders"]
        assert change_of(world, claim).attempts == 1
        travel(minutes=30)
        assert world.ring() == ["orders"]

    def test_lets_the_next_worker_take_a_dead_ones_change_at_once(self, world, claim, travel):
        travel(days=-30)
        assert world.ledger.claim(ORDERS, "second").token == 2
        # The second one dies too, and the doorbell from before the clock was set back must not be waited for.
        travel(hours=1)
        assert world.ring() == ["orders"]

    def test_does_not_keep_an_unanswered_doorbell_from_being_rung_again(self, world, travel):
        world.put("orders")
        world.ring()
        travel(days=-30)
        assert world.ring() == ["orders"]
        assert world.ring() == []
        travel(minutes=30)
        assert world.ring() == ["orders"]

    def test_does_not_take_the_claim_from_a_worker_that_is_alive(self, world, claim, travel):
        travel(days=-30)
        world.ledger.renew(claim)
        assert world.refresh() == []
        assert world.ledger.claim(ORDERS, "another") is None
        assert world.ledger.commit(claim, world.run_of(ORDERS)).outcome == PROFILED
