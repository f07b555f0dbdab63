"""Two and more of everything, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, TimeoutError as NotYetError
from dataclasses import replace

import pytest

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.ledger import CLOSED, OPEN, PROFILED
from profilemesh_airflow.exceptions import ClaimLostError
from profilemesh_airflow.store.engine import BEGIN_MODE

TOGETHER = 4


def test_each_change_is_claimed_once(world, at_once):
    keys = [f"sales.t{number}" for number in range(10)]
    world.put(*(key.split(".")[1] for key in keys))
    world.refresh()

    def claim_all(store, number):
        ledger = store.ledger(world.identity, world.policy)
        return [key for key in keys if ledger.claim(key, f"worker {number}")]

    claimed = at_once(claim_all)
    assert sorted(key for part in claimed for key in part) == keys
    assert {entry.token for entry in world.ledger.open_entries().values()} == {1}


def test_refreshes_at_once_open_each_change_once(world, at_once):
    world.put(*(f"t{number}" for number in range(200)))
    at_once(lambda store, _: replace(world, store=store).refresh())
    assert len(world.ledger.open_entries()) == 200
    assert all(len(world.ledger.history(key)) == 1 for key in list(world.tables)[:5])


def test_refreshes_at_once_retire_each_table_once(world, at_once):
    world.settle("orders", "items")
    world.drop("orders")
    looks = [world.look() for _ in range(TOGETHER)]
    at_once(lambda store, number: store.ledger(world.identity, world.policy).record(*looks[number]))
    assert [entry.outcome for entry in world.ledger.history("sales.orders")] == ["retired", "profiled"]


def test_one_commit_under_a_claim_wins(world, at_once, sql):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim("sales.orders", "worker")
    runs = [world.run_of("sales.orders") for _ in range(TOGETHER)]

    def commit(store, number):
        try:
            return store.ledger(world.identity, world.policy).commit(claim, runs[number]).outcome
        except RuntimeError as error:
            return type(error).__name__

    assert sorted(at_once(commit)) == ["ClaimLostError"] * (TOGETHER - 1) + ["profiled"]
    assert sql.count("profilemesh_runs") == 1


def test_one_run_that_is_committed_several_times_at_once_is_written_once(world, at_once, sql):
    world.put("orders")
    world.refresh()
    claim, run = world.ledger.claim("sales.orders", "worker"), world.run_of("sales.orders")
    committed = at_once(lambda store, _: store.ledger(world.identity, world.policy).commit(claim, run))
    assert {(entry.outcome, entry.run_id) for entry in committed} == {("profiled", run.run_id)}
    assert sql.count("profilemesh_runs") == 1


def test_nothing_is_lost_while_everybody_works_at_once(world, at_once):
    names = [f"t{number}" for number in range(8)]
    world.put(*names)

    def work(store, number):
        own = replace(world, store=store)
        for version in range(10):
            if number < TOGETHER // 2:
                world.put(*names, version=f"{number} {version}")
                own.refresh()
            for key in world.tables:
                claim = own.ledger.claim(key, f"worker {number}")
                if claim:
                    own.ledger.commit(claim, world.run_of(key))

    at_once(work)
    world.refresh()
    for key in world.ledger.open_entries():
        world.profile(key)
    assert world.refresh() == []
    assert world.ledger.open_entries() == {}
    baselines = world.ledger.baselines()
    assert {key: baselines[key].fingerprint for key in world.tables} == {
        key: entry.fingerprint for key, entry in world.tables.items()
    }


def test_processes_that_work_at_once_profile_each_change_once(world, processes_at_once, sql):
    """Two refresh all the time, four claim whatever they can."""
    names = [f"t{number}" for number in range(12)]
    world.put(*names)
    world.store.close()

    def refresh(own):
        for turn in range(6):
            own.put(*names, version=f"{turn}")
            own.ring(Budget(tables=5))
        return []

    def profile(own):
        claims = []
        for key in list(own.tables) * 6:
            claim = own.ledger.claim(key, "worker")
            if claim:
                run_id = f"{claim.change_id} {claim.token}"
                own.ledger.commit(claim, own.run_of(key, run_id=run_id))
                claims.append(run_id)
        return claims

    done = processes_at_once(lambda store, number: (refresh if number < 2 else profile)(replace(world, store=store)), 6)
    claims = [claim for part in done for claim in part]
    assert len(claims) == len(set(claims)) == sql.count("profilemesh_runs")
    assert {entry.state for entry in world.ledger.open_entries().values()} <= {OPEN}
    world.put(*names, version="the end")
    world.refresh()
    for key in world.ledger.open_entries():
        world.profile(key)
    assert world.refresh() == []
    baselines = world.ledger.baselines()
    assert {key: baselines[key].fingerprint for key in world.tables} == {
        key: entry.fingerprint for key, entry in world.tables.items()
    }


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_commit_and_a_refresh_at_once_lose_no_target(world, at_once, version):
    """Whichever comes first: what the worker did not profile is open, and what it did is not profiled again."""
    names = [f"t{number}" for number in range(6)]
    world.settle(*names)
    world.put(*names, version="2")
    world.refresh()
    claims = {key: world.ledger.claim(key, "worker") for key in world.tables}
    runs = {key: world.run_of(key) for key in world.tables}
    world.put(*names, version=version)
    looked = world.look()

    def work(store, number):
        ledger = store.ledger(world.identity, world.policy)
        if number == 0:
            return ledger.record(*looked)
        return [ledger.commit(claim, runs[key]) for key, claim in claims.items()]

    at_once(work, 2)
    left = world.ledger.open_entries()
    assert set(left) == (set(world.tables) if version == "3" else set())
    assert {(entry.state, entry.target) for entry in left.values()} <= {
        (OPEN, entry.fingerprint) for entry in world.tables.values()
    }
    assert {entry.key for entry in world.refresh()} == set(left)


def test_the_clock_goes_on_while_a_worker_waits_for_another(world, sql):
    world.put("orders")
    world.refresh()
    with ThreadPoolExecutor(1) as pool:
        with sql.engine.connect().execution_options(**{BEGIN_MODE: "IMMEDIATE"}) as other, other.begin():
            other.exec_driver_sql("UPDATE profilemesh_changes SET rings = 7, revision = revision + 1")
            waiting = pool.submit(world.ledger.claim, "sales.orders", "worker")
            with pytest.raises(NotYetError):
                waiting.result(timeout=0.5)
            released_at = world.ledger.now()
        claim = waiting.result(timeout=60)
    assert claim.rings == 7
    assert claim.updated_at >= released_at


def test_a_late_commit_and_the_next_worker_at_once_leave_one_of_the_two(world, at_once, travel, sql):
    names = [f"t{number}" for number in range(10)]
    world.put(*names)
    world.refresh()
    claims = {key: world.ledger.claim(key, "slow") for key in world.tables}
    runs = [{key: world.run_of(key) for key in world.tables} for _ in range(2)]
    travel(hours=2)

    def slow(ledger, key):
        try:
            return ledger.commit(claims[key], runs[0][key])
        except ClaimLostError:
            return None

    def quick(ledger, key):
        claim = ledger.claim(key, "quick")
        return claim and ledger.commit(claim, runs[1][key])

    def work(store, number):
        ledger = store.ledger(world.identity, world.policy)
        return [(slow, quick)[number](ledger, key) for key in world.tables]

    by_slow, by_quick = at_once(work, 2)
    assert all(bool(one) != bool(other) for one, other in zip(by_slow, by_quick, strict=True))
    assert {entry.outcome for entry in (*by_slow, *by_quick) if entry} == {PROFILED}
    assert sql.count("profilemesh_runs") == len(names)


def test_configurations_that_share_a_store_and_their_tables_names_do_not_meet(world, at_once):
    identities = [replace(world.identity, environment=place, source=name) for place in "pq" for name in "xy"]
    names = ["orders", "items"]

    def work(store, number):
        own = replace(world, store=store, identity=identities[number], tables={})
        for turn in range(4):
            own.put(*names, version=f"{number} {turn}")
            own.ring()
            for key in own.tables:
                own.profile(key, run_id=f"{number} {turn}")
        own.put("orders", version="left open")
        own.ring()
        return own

    worlds = [replace(own, store=world.store) for own in at_once(work)]
    ids = {}
    for own in worlds:
        ((key, entry),) = own.ledger.open_entries().items()
        assert (key, entry.target, entry.rings) == ("sales.orders", own.tables[key].fingerprint, 1)
        assert own.ledger.baselines()["sales.items"].fingerprint == own.tables["sales.items"].fingerprint
        assert [past.state for past in own.ledger.history(key)] == [OPEN, *[CLOSED] * 4]
        ids[own.identity] = entry.change_id
    first, *others = worlds
    assert first.ledger.entries(list(ids.values())) == list(first.ledger.open_entries().values())
    first.ledger.mark_rung(list(ids.values()))
    assert [own.ledger.open_entries()["sales.orders"].rings for own in worlds] == [2, 1, 1, 1]
    claim = others[0].ledger.claim("sales.orders", "worker")
    for method in (first.ledger.renew, lambda claim: first.ledger.fail(claim, "boom")):
        with pytest.raises(ClaimLostError, match="gone from the ledger"):
            method(claim)
