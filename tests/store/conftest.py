"""A store on each database, and a small world around it: tables that change, refreshes, workers."""

from __future__ import annotations

import multiprocessing
import shutil
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.diff import diff
from profilemesh_airflow.core.plan import Column, Identity, Plan, PlanEntry, TableInfo, TableSettings
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.profile import ColumnProfile, TableProfile
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store import Ledger, Results, RunRecord, Store, TableNames
from profilemesh_airflow.store.engine import make_engine
from tests.earlier import Earlier
from tests.store.legacy.adoption import fill

IDENTITY = Identity("test", "warehouse")
COLUMNS = (ColumnProfile("id", "INTEGER", {"count": 3, "mean": 2.0}), ColumnProfile("note", "TEXT", {}, {"*": "no"}))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> str:
    """A SQLite store without any rows, to be copied: migrating takes longer than most tests."""
    path = str(tmp_path_factory.mktemp("store") / "store.db")
    with Store(ConnectionSettings("sqlite", filepath=path)) as store:
        store.upgrade()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url):
    """A store in a schema of its own, for all tests that do not mind its having been used."""
    name = f"pm_store_{uuid4().hex[:12]}"
    settings = replace(login("postgres", postgres_url), extra_params={"options": f"-csearch_path={name}"})
    yield from migrated(settings, f"CREATE SCHEMA {name}", f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="session")
def migrated_mysql(mysql_url):
    """A store in a database of its own, whose session is in a time zone that must not matter."""
    name = f"pm_store_{uuid4().hex[:12]}"
    server = replace(login("mysql", mysql_url), database="mysql")
    settings = replace(server, database=name, extra_params={"init_command": "SET time_zone = '+05:30'"})
    yield from migrated(settings, f"CREATE DATABASE {name}", f"DROP DATABASE {name}", server)


def login(kind, address):
    """A server's address as settings."""
    url = make_url(address)
    return ConnectionSettings(
        kind,
        host=url.host or url.query.get("host"),
        port=url.port,
        database=url.database,
        username=url.username,
        password=url.password,
    )


def migrated(settings, create, drop, admin=None):
    """Make a place, migrate a store in it, and remove the place in the end."""
    sql = Sql(admin or settings)
    sql.run(create)
    with Store(settings) as store:
        store.upgrade()
    yield settings
    sql.run(drop)
    sql.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def settings(request, tmp_path) -> ConnectionSettings:
    """Where a store is that is migrated and empty."""
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "store.db")
        return ConnectionSettings("sqlite", filepath=str(copy))
    settings = request.getfixturevalue(f"migrated_{request.param}")
    sql = Sql(settings)
    for table in TableNames().as_tuple():
        sql.run(f"DELETE FROM {table}")
    sql.engine.dispose()
    return settings


@pytest.fixture(params=["sqlite_settings", "postgres_database", "mysql_database"])
def empty_database(request) -> ConnectionSettings:
    """A database without any table."""
    settings = request.getfixturevalue(request.param)
    if settings.filepath:
        Path(settings.filepath).parent.mkdir()
    return settings


WAITING = {
    "postgres": "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND pg_stat_activity.datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx JOIN information_schema.processlist"
    " ON id = trx_mysql_thread_id WHERE trx_state = 'LOCK WAIT' AND db = database()",
}


@dataclass
class Sql:
    """Looks past the store, at the tables themselves."""

    settings: ConnectionSettings
    engine: object = field(init=False)

    def __post_init__(self) -> None:
        self.engine = make_engine(self.settings)

    def run(self, statement, **values):
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    def one(self, statement, **values):
        ((value,),) = self.run(statement, **values)
        return value

    def count(self, table):
        return self.one(f"SELECT count(*) FROM {table}")

    def waiting_for_locks(self):
        """How many transactions of a server's database wait for another one."""
        return self.one(WAITING[self.settings.type])


@pytest.fixture
def sql_of():
    """SQL on a database of the test's choice."""
    opened = []

    def make(settings):
        opened.append(Sql(settings))
        return opened[-1]

    yield make
    for sql in opened:
        sql.engine.dispose()


@pytest.fixture
def sql(settings, sql_of):
    """SQL on the store's database."""
    return sql_of(settings)


@pytest.fixture
def earlier(sql):
    """The earlier integration, with its tables in the store's database."""
    return Earlier(sql.run, sql.engine.dialect.name).create()


@pytest.fixture
def filled(earlier):
    """The earlier integration, with rows in its tables, and every defect that it had."""
    fill(earlier)
    return earlier


@dataclass
class World:
    """A plan whose tables change, and what refreshes and workers do with the store."""

    store: Store
    identity: Identity = IDENTITY
    policy: Policy = field(default_factory=Policy)
    tables: dict[str, PlanEntry] = field(default_factory=dict)
    numbers: object = field(default_factory=lambda: count(1))

    @property
    def ledger(self) -> Ledger:
        return self.store.ledger(self.identity, self.policy)

    @property
    def results(self) -> Results:
        return self.store.results(self.identity)

    def put(self, *names, version="1", metrics=None, **changes) -> None:
        """Tables of the plan, at a version of their data."""
        for name in names:
            ref = TableRef(name, "sales")
            info = TableInfo(ref, (Column("id", "INTEGER"), Column("note", "TEXT")))
            settings = TableSettings(metrics=metrics) if metrics else TableSettings()
            entry = PlanEntry(ref, settings, info, data_version=version)
            self.tables[ref.key] = replace(entry, **changes)

    def drop(self, name) -> None:
        del self.tables[f"sales.{name}"]

    def look(self, *, forced=None, only=None):
        """What a refresh sees: the difference, and the ledger from before the plan was built."""
        seen = self.ledger.view()
        found = diff(
            Plan(self.identity, tuple(self.tables.values())),
            seen.baselines,
            now=seen.now,
            profile_after=self.policy.profile_after,
            forced=forced,
            only=only,
            waiting=[entry.ref for entry in seen.entries.values()],
        )
        return found, seen

    def refresh(self, budget=None, **looking):
        """A whole refresh; returns the doorbells to ring."""
        return self.ledger.record(*self.look(**looking), budget)

    def ring(self, budget=None, **looking):
        """A whole refresh that rings; returns the names of the tables in their order."""
        rung = self.refresh(budget, **looking)
        self.ledger.mark_rung([entry.change_id for entry in rung])
        return [entry.ref.table for entry in rung]

    def run_of(self, key, *, columns=COLUMNS, run_id=None, **more) -> RunRecord:
        """What a worker found out about the table as it is now."""
        profile = TableProfile(row_count=3, columns=columns, queries=2, rows_scanned=6, seconds=0.25)
        return RunRecord(run_id or f"run-{next(self.numbers)}", self.tables[key], profile, **more)

    def profile(self, key, worker="worker", **more):
        """Claim, profile, commit."""
        claim = self.ledger.claim(key, worker)
        assert claim is not None
        return self.ledger.commit(claim, self.run_of(key, **more))

    def settle(self, *names, **changes) -> None:
        """Put tables into the plan and profile them."""
        self.put(*names, **changes)
        self.refresh()
        for name in names:
            self.profile(f"sales.{name}")


@pytest.fixture
def world(settings):
    """A world with an empty store."""
    with Store(settings) as store:
        yield World(store)


@pytest.fixture
def world_of():
    """A world around a store that the test has opened itself."""
    return World


@pytest.fixture
def sqlite_settings(tmp_path) -> ConnectionSettings:
    """Where a SQLite store is going to be."""
    return ConnectionSettings("sqlite", filepath=str(tmp_path / "new folder" / "new.db"))


@pytest.fixture
def stored(sql):
    """How many rows each table has that a commit writes to: runs, results, baselines."""
    return lambda: [sql.count(f"profilemesh_{table}") for table in ("runs", "results", "table_state")]


def run_at_once(settings, work, times):
    """Run a function in threads that start together, each with a store of its own; returns what they returned."""
    barrier = Barrier(times)

    def one(number):
        with Store(settings) as store:
            store.version()
            barrier.wait(timeout=120)
            return work(store, number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def run_processes(settings, work, times):
    """:func:`run_at_once` with processes in place of threads."""
    fork = multiprocessing.get_context("fork")
    barrier, answers = fork.Barrier(times), fork.SimpleQueue()

    def one(number):
        try:
            with Store(settings) as store:
                store.version()
                barrier.wait(timeout=120)
                answers.put((number, work(store, number), None))
        except Exception:  # noqa: BLE001 - told to the test, which fails
            answers.put((number, None, traceback.format_exc()))

    processes = [fork.Process(target=one, args=(number,)) for number in range(times)]
    for process in processes:
        process.start()
    answered = sorted(answers.get() for _ in processes)
    for process in processes:
        process.join()
    assert [error for *_, error in answered if error] == []
    return [answer for _, answer, _ in answered]


@pytest.fixture
def processes_at_once(settings):
    """:func:`run_processes` on the test's store, which must not be open."""
    return lambda work, times=4: run_processes(settings, work, times)


@pytest.fixture
def at_once(settings):
    """:func:`run_at_once` on the test's store."""
    return lambda work, times=4: run_at_once(settings, work, times)
