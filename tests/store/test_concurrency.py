"""Two and more of everything, at once."""

from __future__ import annotations

from dataclasses import replace

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
