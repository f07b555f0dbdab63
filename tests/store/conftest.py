"""A store on each database, and a small world around it: tables that change, refreshes, workers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from time import monotonic, sleep

import pytest
from sqlalchemy import text

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.diff import diff
from profilemesh_airflow.core.plan import Column, Identity, Plan, PlanEntry, TableInfo, TableSettings
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.profile import ColumnProfile, TableProfile
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store import Ledger, Results, RunRecord, Store
from profilemesh_airflow.store.engine import make_engine

IDENTITY = Identity("test", "warehouse")
COLUMNS = (ColumnProfile("id", "INTEGER", {"count": 3, "mean": 2.0}), ColumnProfile("note", "TEXT", {}, {"*": "no"}))


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request, tmp_path) -> ConnectionSettings:
    """Where an empty store is going to be."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_database")
    return ConnectionSettings("sqlite", filepath=str(tmp_path / "new folder" / "store.db"))


@pytest.fixture
def sqlite_settings(tmp_path) -> ConnectionSettings:
    """Where an empty store is going to be, where the kind of database makes no difference."""
    return ConnectionSettings("sqlite", filepath=str(tmp_path / "store.db"))


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


@pytest.fixture
def sql(settings):
    """SQL on the store's database."""
    sql = Sql(settings)
    yield sql
    sql.engine.dispose()


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

    def refresh(self, **looking):
        """A whole refresh; returns the doorbells to ring."""
        return self.ledger.record(*self.look(**looking))

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
    """A world whose store is migrated."""
    with Store(settings) as store:
        yield World(store)


@pytest.fixture
def small_lease():
    """A policy under which a claim is soon over."""
    return Policy(lease=timedelta(milliseconds=20))


@pytest.fixture
def wait_for():
    """Ask again and again until the answer is a true one; five seconds at most."""

    def ask(question):
        deadline = monotonic() + 5
        while not (answer := question()) and monotonic() < deadline:
            sleep(0.01)
        return answer

    return ask
