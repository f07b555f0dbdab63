"""A worker's claim: taken, committed, failed, lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from profilemesh_airflow.core.ledger import CLOSED, OPEN, PARKED, PROFILED
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import ClaimLostError, StoreError
from profilemesh_airflow.store import Store, TableNames
from profilemesh_airflow.store.changes import ChangeRows
from profilemesh_airflow.store.database import ConflictError, Database
from profilemesh_airflow.store.schema import make_tables

ORDERS = "sales.orders"


def test_only_one_of_two_workers_gets_a_change(world):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "first")
    assert (claim.claimed_by, claim.token) == ("first", 1)
    assert world.ledger.claim(ORDERS, "second") is None


def test_there_is_nothing_to_claim_without_an_open_change(world, stored):
    world.settle("orders")
    before = stored()
    assert world.ledger.claim(ORDERS, "worker") is None
    assert world.ledger.claim("sales.unknown", "worker") is None
    assert stored() == before


def test_a_commit_stores_run_metrics_and_baseline_and_closes_the_change(world, stored, sql):
    world.put("orders")
    (entry,) = world.refresh()
    run = world.run_of(ORDERS, dag_id="a_dag", dag_run_id="manual__1")
    after = world.ledger.commit(world.ledger.claim(ORDERS, "worker"), run)
    assert (after.state, after.outcome, after.run_id) == (CLOSED, PROFILED, run.run_id)
    assert world.ledger.entries([entry.change_id]) == [after]
    assert stored() == [1, 3, 1]
    baseline = world.ledger.baselines()[ORDERS]
    assert (baseline.ref, baseline.fingerprint) == (run.entry.ref, run.entry.fingerprint)
    assert (baseline.run_id, baseline.data_version) == (run.run_id, "1")
    ((status, worker, dag_id, rows, columns),) = sql.run(
        "SELECT status, worker, dag_id, row_count, column_count FROM profilemesh_runs"
    )
    assert (status, worker, dag_id, rows, columns) == ("completed", "worker", "a_dag", 3, 2)


def test_the_baseline_is_what_was_read_before_the_profile_began(world):
    world.put("orders", version="1")
    world.refresh()
    claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)
    world.put("orders", version="2")
    world.ledger.commit(claim, run)
    assert [str(reason) for entry in world.refresh() for reason in entry.reasons] == ["data: version 1 -> 2"]


def test_a_second_commit_under_the_same_claim_writes_nothing(world, stored):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    world.ledger.commit(claim, world.run_of(ORDERS))
    before = stored()
    with pytest.raises(ClaimLostError, match="was profiled meanwhile; nothing was written"):
        world.ledger.commit(claim, world.run_of(ORDERS))
    with pytest.raises(ClaimLostError, match="was profiled meanwhile"):
        world.ledger.fail(claim, "too late")
    assert stored() == before


def test_a_target_that_moved_during_the_profile_stays_open(world):
    world.put("orders", version="1")
    world.refresh()
    claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)
    world.put("orders", version="2")
    assert world.refresh() == []
    after = world.ledger.commit(claim, run)
    assert (after.state, after.claimed_by) == (OPEN, None)
    assert [entry.change_id for entry in world.refresh()] == [after.change_id]
    world.profile(ORDERS)
    assert world.refresh() == []
    assert world.ledger.open_entries() == {}


def test_a_commit_to_a_retired_change_writes_nothing(world, stored):
    world.put("orders")
    world.refresh()
    claim, run = world.ledger.claim(ORDERS, "worker"), world.run_of(ORDERS)
    world.drop("orders")
    world.refresh()
    with pytest.raises(ClaimLostError, match="was retired meanwhile"):
        world.ledger.commit(claim, run)
    assert stored() == [0, 0, 0]


def test_a_claim_that_is_not_in_the_ledger_is_refused(world):
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    with pytest.raises(ClaimLostError, match="gone from the ledger"):
        world.ledger.commit(replace(claim, change_id="0" * 32), world.run_of(ORDERS))


def test_a_failure_is_written_down_and_the_change_comes_back(world, stored, sql):
    world.policy = Policy(redeliver_after=timedelta(0))
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    after = world.ledger.fail(claim, "boom", "ProfileError", dag_id="a_dag", dag_run_id="manual__1")
    assert (after.state, after.attempts) == (OPEN, 1)
    assert (after.last_error, after.last_error_type) == ("boom", "ProfileError")
    assert sql.one("SELECT error_type FROM profilemesh_runs") == "ProfileError"
    assert after.last_error_at is not None
    assert stored() == [1, 0, 0]
    (run,) = world.results.runs(ORDERS)
    assert (run.status, run.error, run.worker, run.dag_id) == ("failed", "boom", "worker", "a_dag")
    assert [entry.change_id for entry in world.refresh()] == [after.change_id]


def test_too_many_failures_park_the_change(world):
    world.policy = Policy(max_attempts=2, redeliver_after=timedelta(0))
    world.put("orders")
    world.refresh()
    states = [world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "boom").state for _ in range(2)]
    assert states == [OPEN, PARKED]


def test_a_step_of_a_row_that_has_moved_is_refused(world, settings):
    world.put("orders")
    world.refresh()
    database = Database(settings)
    rows = ChangeRows(make_tables(TableNames()), world.identity, database.clock)
    found = database.read(lambda connection: rows.open_of(connection, ORDERS))
    world.refresh(forced={ORDERS: "please"})
    with database.transaction(writes=True) as connection, pytest.raises(ConflictError):
        rows.save(connection, found, replace(found.entry, rings=99))
    database.close()
    assert world.ledger.open_entries()[ORDERS].rings == 0


def test_a_long_error_is_shortened(world):
    world.put("orders")
    world.refresh()
    after = world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "é\x00" * 5000)
    assert len(after.last_error) == 2000
    (run,) = world.results.runs(ORDERS)
    assert run.error == "é?" * 1000


def test_the_store_keeps_its_own_password_out_of_errors(sqlite_settings, world_of):
    with Store(replace(sqlite_settings, password="hunter2-hunter2")) as store:
        world = world_of(store)
        world.put("orders")
        world.refresh()
        after = world.ledger.fail(world.ledger.claim(ORDERS, "worker"), "login hunter2-hunter2 refused")
    assert after.last_error == "login *** refused"


def test_the_same_run_again_leaves_one_set_of_rows(world, stored):
    world.put("orders")
    world.refresh()
    world.profile(ORDERS, run_id="run")
    before = stored()
    world.refresh(forced={ORDERS: "again"})
    world.profile(ORDERS, run_id="run")
    assert stored() == before


def test_a_run_of_another_source_with_the_same_id_is_not_overwritten(world):
    world.put("orders")
    world.refresh()
    world.profile(ORDERS, run_id="run")
    other = replace(world, identity=Identity("test", "another"))
    other.refresh()
    with pytest.raises(StoreError, match="results store"):
        other.profile(ORDERS, run_id="run")
    assert world.results.latest(ORDERS).run_id == "run"
    assert other.results.latest(ORDERS) is None


def test_every_field_of_a_change_survives_the_database(world):
    world.policy = Policy(max_attempts=1)
    world.put("orders")
    world.refresh()
    claim = world.ledger.claim(ORDERS, "worker")
    world.put("orders", version="2")
    world.refresh(forced={ORDERS: "gründlich"})
    failed = world.ledger.fail(claim, "boom")
    assert world.ledger.open_entries() == {ORDERS: failed}
    assert failed.updated_at.utcoffset() == timedelta(0)
