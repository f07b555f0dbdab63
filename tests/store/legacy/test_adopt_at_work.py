"""An adoption while others are at work, and one that is cut short."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from time import monotonic, sleep

import pytest
from sqlalchemy import text

from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store import OWN, Store, TableNames, adopt, database, migrate
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.legacy import Owners
from profilemesh_airflow.store.migrate import Shape
from profilemesh_airflow.store.schema import HEAD
from tests.earlier import Earlier
from tests.sent import statements_sent
from tests.store.kill import kill_at
from tests.store.legacy.adoption import ID, IDENTITY, REFS, RENAMED, adopt_in, fill, history_of, tables_of


def test_a_worker_that_has_the_former_names_goes_on(store, filled, settings, world_of):
    """Ledger and results were opened before."""
    world, history = world_of(store), store.results(IDENTITY, REFS)
    world.put("orders", "items")
    world.refresh()
    ledger = world.ledger
    claims = [ledger.claim(f"sales.{name}", "worker") for name in ("orders", "items")]
    assert history.latest("sales.orders").run_id == "r2"

    assert adopt_in(settings)

    assert ledger.commit(claims[0], world.run_of("sales.orders", run_id="ours")).outcome == "profiled"
    ledger.fail(claims[1], "boom")
    assert [run.run_id for run in history.runs("sales.orders")] == ["ours", "r2", "r1"]
    assert history.previous(history.latest("sales.orders")).run_id == "r2"


@pytest.mark.parametrize("first", ["latest", "runs", "fail", "commit"])
def test_whatever_comes_first_after_an_adoption_finds_the_new_names(store, filled, settings, world_of, first):
    world, history = world_of(store), store.results(IDENTITY, REFS)
    world.put("orders")
    world.refresh()
    ledger = world.ledger
    claim = ledger.claim("sales.orders", "worker")
    adopt_in(settings)

    todo = {
        "latest": lambda: history.latest("sales.orders"),
        "runs": lambda: history.runs("sales.orders"),
        "fail": lambda: ledger.fail(claim, "boom"),
        "commit": lambda: ledger.commit(claim, world.run_of("sales.orders")),
    }
    assert todo[first]()


def test_workers_go_on_while_somebody_adopts(filled, settings, world_of, at_once):
    """None of them may lose the profile that it has just made."""
    with Store(settings) as store:
        world = world_of(store)
        world.put(*(f"t{number}" for number in range(30)))
        world.refresh()

    def work(store, number):
        if number == 0:
            return store.adopt(IDENTITY, REFS).copied.runs
        ledger = store.ledger(IDENTITY, Policy())
        outcomes = []
        for key in [key for position, key in enumerate(world.tables) if position % 3 == number - 1]:
            outcomes.append(ledger.commit(ledger.claim(key, "worker"), world.run_of(key)).outcome)
            assert store.results(IDENTITY, REFS).latest("items").run_id == "r3"
        return outcomes

    assert at_once(work) == [8, ["profiled"] * 10, ["profiled"] * 10, ["profiled"] * 10]
    with Store(settings) as store:
        assert len(store.peek(IDENTITY).baselines) == 30
        assert {run.origin for key in world.tables for run in store.results(IDENTITY).runs(key)} == {OWN}


def test_a_reader_in_the_middle_of_its_work_is_waited_for(postgres_database, sql_of, monkeypatch):
    """Each would wait for the other, if the tables were not locked in the order in which they are read."""
    monkeypatch.setattr(database, "ATTEMPTS", 1)
    sql = sql_of(postgres_database)
    fill(Earlier(sql.run, "postgresql").create())
    with Store(postgres_database) as store:
        store.upgrade()
    with sql.engine.connect() as reader, ThreadPoolExecutor(1) as pool:
        reader.execute(text("SELECT count(*) FROM profilemesh_runs_airflow"))
        adopted = pool.submit(lambda: adopt_in(postgres_database))
        deadline = monotonic() + 30
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        while not sql.count(f"pg_locks WHERE NOT granted AND {here}") and monotonic() < deadline:
            sleep(0.01)
        assert reader.execute(text("SELECT count(*) FROM profilemesh_runs")).scalar_one() == 7
        assert not adopted.done()
        reader.rollback()
        assert adopted.result(timeout=120).copied.runs == 8


def test_tables_that_are_renamed_while_somebody_looks_for_them_are_looked_for_again(store, settings, monkeypatch):
    store.upgrade()
    mixed = Shape(HEAD, TableNames(runs="profilemesh_runs_airflow"), ("profilemesh_runs_airflow",), "version")
    answers = [mixed]

    def find_shape(*where):
        return answers.pop() if answers else migrate.find_shape(*where)

    # The quick look would not fall into it.
    monkeypatch.setattr("profilemesh_airflow.store.store.is_current", lambda *_: False)
    monkeypatch.setattr("profilemesh_airflow.store.store.find_shape", find_shape)
    with Store(settings) as other:
        assert other.results(IDENTITY, REFS).latest("items") is None
    assert answers == []


def test_two_threads_of_one_store_find_the_new_names_at_once(store, filled, settings, world_of):
    world = world_of(store)
    world.put("orders", "items")
    world.refresh()
    ledger = world.ledger
    claims = [ledger.claim(f"sales.{name}", "worker") for name in ("orders", "items")]
    adopt_in(settings)
    barrier = Barrier(2)

    def commit(claim):
        barrier.wait(120)
        return ledger.commit(claim, world.run_of(claim.key)).outcome

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(commit, claims)) == ["profiled"] * 2


def test_a_failure_that_no_adoption_explains_stays_that_failure(store, filled, sql):
    store.ensure()
    history = store.results(IDENTITY, REFS)
    sql.run("ALTER TABLE profilemesh_runs_airflow RENAME TO hidden")

    with pytest.raises(StoreError, match="profilemesh_runs_airflow"):
        history.latest("sales.orders")


def test_a_look_for_new_names_that_fails_is_not_looked_into(store, filled, sql, monkeypatch):
    store.ensure()
    history = store.results(IDENTITY, REFS)
    sql.run("ALTER TABLE profilemesh_runs_airflow RENAME TO hidden")
    nowhere = text("SELECT * FROM nowhere")
    monkeypatch.setattr(
        "profilemesh_airflow.store.store.find_shape", lambda connection, *_: connection.execute(nowhere)
    )

    with pytest.raises(StoreError, match="nowhere"):
        history.latest("sales.orders")


def test_an_adoption_that_is_killed_anywhere_leaves_the_old_state_or_the_new_one(settings, filled, sql, monkeypatch):
    with Store(settings) as store:
        store.upgrade()
        before, rows, old = history_of(store), filled.dump(), tables_of(settings)
    new = {RENAMED.get(table, table) for table in old}
    orders, runs_of_orders = before[0]

    def work():
        # Only the adoption itself; that an upgrade may be killed anywhere is shown elsewhere.
        opened = Database(settings)
        try:
            adopt.adopt(opened, TableNames(), None, IDENTITY.source, Owners(REFS))
        finally:
            opened.close()

    states = []
    for step in range(first_write(work, monkeypatch), 200):
        sql.engine.dispose()
        if not kill_at(step, work):
            break
        states.append(tables_of(settings))
        with Store(settings) as store:
            history = store.results(IDENTITY, REFS)
            assert history.latest("sales.orders") == orders
            assert history.runs("sales.orders") == [run for run, _ in runs_of_orders]
    assert len(states) > 4
    # Once MySQL has renamed there is still a lock to give back.
    assert [state for state in states if state != old] == ([new] if settings.type == "mysql" else [])
    with Store(settings) as store:
        assert history_of(store) == before
    assert replace(filled, runs="profilemesh_runs_legacy", results="profilemesh_results_legacy").dump() == rows
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (8, 18)


def first_write(work, monkeypatch) -> int:
    """The number of the first statement that is more than a question; nothing comes of it."""

    def stop(*_):
        raise StoreError("enough")

    with monkeypatch.context() as patched, statements_sent() as statements:
        patched.setattr(adopt, "_rename", stop)
        with pytest.raises(StoreError, match="enough"):
            work()
    return next(number for number, statement in enumerate(statements, 1) if statement.startswith("DELETE"))


def test_an_adoption_that_copied_but_did_not_rename_is_finished_by_the_next(store, filled, sql, monkeypatch):
    store.upgrade()
    before = history_of(store)

    def break_off(connection, *_):
        # As MySQL does by itself before it renames.
        connection.exec_driver_sql("COMMIT")
        raise StoreError("broken off")

    with monkeypatch.context() as patched:
        patched.setattr(adopt, "_rename", break_off)
        with pytest.raises(StoreError, match="broken off"):
            store.adopt(IDENTITY, REFS)
    assert sql.count("profilemesh_runs_airflow") == 8
    assert history_of(store) == before

    filled.profile("r8", "items", {ID: {"count": "5"}}, schema=None, at="2024-02-01 10:00:00")
    copied = store.adopt(IDENTITY, REFS).copied

    assert (copied.runs, copied.metric_rows, copied.left_out) == (9, 19, [])
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (9, 19)


def test_of_processes_that_adopt_at_once_one_does(settings, filled, sql):
    sql.engine.dispose()
    fork = multiprocessing.get_context("fork")
    barrier, done = fork.Barrier(4), fork.Queue()

    def one(number):
        with Store(settings) as store:
            barrier.wait(120)
            if number == 0:
                store.upgrade()
                done.put("upgraded")
            else:
                done.put("adopted" if store.adopt(IDENTITY, REFS) else "nothing")

    processes = [fork.Process(target=one, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(done.get(timeout=60) for _ in processes) == ["adopted", "nothing", "nothing", "upgraded"]
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (8, 18)
