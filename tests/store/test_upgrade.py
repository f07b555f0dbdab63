"""From the schema of an earlier release to this one's."""

from __future__ import annotations

import multiprocessing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from profilemesh_airflow.core.ledger import CLAIMED, CLOSED, OPEN, PARKED, PROFILED
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import StoreError, StoreUnavailableError
from profilemesh_airflow.store import Store, TableNames, database, migrate
from profilemesh_airflow.store.schema import HEAD, VERSION_TABLE, make_tables
from tests.store.first_release import THEN, entry_of, make_first_release
from tests.store.kill import kill_at

IDENTITY = Identity("test", "warehouse")
NAMES = ("open", "claimed", "parked", "closed")


@pytest.fixture(params=["sqlite_settings", "postgres_database", "mysql_database"])
def settings(request):
    """Where a store is going to be: the database is empty, the file not even there."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def old_settings(settings):
    """A store of the first release, with rows in it."""
    make_first_release(settings)
    return settings


@pytest.fixture(params=["an empty database", "the first release"])
def before(request, settings):
    """What there is to be upgraded."""
    if request.param == "the first release":
        make_first_release(settings)
    return settings


@pytest.fixture
def old_world(old_settings, world_of):
    with Store(old_settings) as store:
        assert store.upgrade() == ("0001", HEAD)
        world = world_of(store)
        world.tables.update({f"sales.{name}": entry_of(name) for name in NAMES})
        yield world


def test_everything_is_still_there(old_world):
    entries = old_world.ledger.open_entries()
    assert {entry.ref.table: entry.state for entry in entries.values()} == {
        "open": OPEN,
        "claimed": CLAIMED,
        "parked": PARKED,
    }
    parked = entries["sales.parked"]
    assert (parked.attempts, parked.last_error, parked.last_error_at, parked.token) == (5, "boom", THEN, 5)
    assert {(e.priority, e.estimated_bytes, e.deferrals, e.last_error_type) for e in entries.values()} == {
        (0, None, 0, None)
    }
    (closed,) = old_world.ledger.history("sales.closed")
    assert (closed.state, closed.outcome, closed.closed_at, closed.run_id) == (CLOSED, PROFILED, THEN, "old")
    baseline = old_world.ledger.baselines()["sales.closed"]
    assert (baseline.fingerprint, baseline.profiled_at) == (entry_of("closed").fingerprint, THEN)
    assert [(run.run_id, run.status, run.error) for run in old_world.results.runs("sales.closed")] == [
        ("old", "completed", None),
        ("bad", "failed", "boom"),
    ]
    profile = old_world.results.latest("sales.closed")
    assert (profile.row_count, profile.rows_of, profile.columns[0].metrics) == (3, None, {"count": 3})
    assert profile.columns[0].approximate == frozenset()
    run = old_world.results.runs("sales.closed")[0]
    assert (run.bytes_scanned, run.rows_of, run.strategy, run.rung, run.rung_reason) == (None,) * 5


def test_everything_is_usable(old_world):
    claim = old_world.ledger.entries(["claimed"])[0]
    assert old_world.ring() == ["open"]
    assert old_world.ledger.commit(claim, old_world.run_of("sales.claimed")).outcome == PROFILED
    failed = old_world.ledger.fail(old_world.ledger.claim("sales.open", "worker"), "boom", "ProfileError")
    assert old_world.ledger.open_entries()["sales.open"] == failed
    assert {entry.ref.table for entry in old_world.refresh(forced={"sales.parked": "again"})} == {"parked"}
    for name in ("open", "parked"):
        old_world.profile(f"sales.{name}")
    assert old_world.refresh() == []
    assert set(old_world.ledger.baselines()) == {f"sales.{name}" for name in NAMES}
    assert old_world.ledger.open_entries() == {}


def test_only_an_upgrade_migrates(old_settings, sql):
    with Store(old_settings, create_tables=False) as store:
        assert store.version() == ("0001", HEAD)
        with pytest.raises(StoreError, match=r"older schema 0001.*store upgrade"):
            store.peek(IDENTITY)
        with pytest.raises(StoreError, match="run `profilemesh-airflow store upgrade`"):
            store.ledger(IDENTITY, Policy())
    assert sql.one(f"SELECT version_num FROM {VERSION_TABLE}") == "0001"
    with Store(old_settings) as store:
        store.ledger(IDENTITY, Policy())
    assert sql.one(f"SELECT version_num FROM {VERSION_TABLE}") == HEAD


def test_processes_that_upgrade_at_once_wait_for_each_other(before, monkeypatch):
    # None of them may have to try a second time.
    monkeypatch.setattr(database, "ATTEMPTS", 1)
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)

    def upgrade():
        with Store(before) as store:
            barrier.wait(120)
            store.ensure()

    processes = [fork.Process(target=upgrade) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with Store(before) as store:
        assert store.version() == (HEAD, HEAD)


def test_an_upgrade_that_is_killed_anywhere_is_completed_by_the_next(before, sql):
    for step in range(1, 200):
        if not kill_at(step, lambda: Store(before).upgrade()):
            break
    assert step > 10
    with Store(before, create_tables=False) as store:
        store.ensure()
    with sql.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, make_tables(TableNames()).metadata) == []


def test_an_upgrade_that_others_never_finish_is_not_waited_for_forever(mysql_database, sql_of, monkeypatch):
    with sql_of(mysql_database).engine.connect() as connection:
        # The lock is the server's, and other tests take it for a while.
        assert connection.exec_driver_sql(f"SELECT GET_LOCK('{migrate.LOCK_NAME}', 60)").scalar_one() == 1
        with monkeypatch.context() as patch, Store(mysql_database) as store:
            patch.setattr(database, "ALONE_WAIT_SECONDS", 0.1)
            with pytest.raises(StoreUnavailableError, match="another process"):
                store.upgrade()
        connection.exec_driver_sql(f"SELECT RELEASE_LOCK('{migrate.LOCK_NAME}')")
    with Store(mysql_database) as store:
        assert store.upgrade() == (None, HEAD)
