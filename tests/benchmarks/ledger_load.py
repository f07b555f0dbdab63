"""How fast the ledger is under load: one refresh of many tables, and many workers that claim and commit at once.

``python -m tests.benchmarks.ledger_load [--claimers 16]`` from the root of the repository, on a quiet machine. The
databases are those of ``PROFILEMESH_TEST_POSTGRES_URL`` (or else an embedded server), ``PROFILEMESH_TEST_MYSQL_URL``
(where it is set), and a SQLite file, for which four workers are a crowd. Each profile has 5 columns of 10 metrics.
Beside each rate is that of the plainest pair of transactions, made by hand in the same run.

It fails where a change is claimed twice, or left, or where a transaction is refused.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from time import perf_counter, process_time
from typing import TYPE_CHECKING
from uuid import uuid4

import pymysql
from sqlalchemy.engine import make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.diff import Diff, diff
from profilemesh_airflow.core.plan import METRICS, Column, Identity, Plan, PlanEntry, TableInfo, TableSettings
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.profile import ColumnProfile, TableProfile
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store import LedgerView, RunRecord, Store, TableNames
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.rows import document_columns, fingerprint_columns, identity_columns, table_columns
from profilemesh_airflow.store.schema import make_tables
from tests.benchmarks.by_hand import ByHand
from tests.benchmarks.profile_flights import postgres_database, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from profilemesh_airflow.store import Ledger

TABLES, CHANGED = 10_000, 1_000
IDENTITY, POLICY = Identity("load", "warehouse"), Policy()
COLUMNS = tuple(f"column_{number}" for number in range(5))
METRIC_NAMES = tuple(name for name in METRICS if name != "histogram")[:10]
PROFILE = TableProfile(
    row_count=3,
    columns=tuple(ColumnProfile(name, "INTEGER", dict.fromkeys(METRIC_NAMES, 7)) for name in COLUMNS),
    queries=1,
    rows_scanned=3,
    seconds=0.1,
)
#: SQLite lets one writer in at a time.
SQLITE_CLAIMERS = 4
TARGETS = {"CPU seconds of a refresh": 3.0, "claims and commits a second on PostgreSQL": 300}


def plan_of(version: str) -> dict[str, PlanEntry]:
    """All tables, the first of them at a version of their data that changes."""
    refs = [TableRef(f"table_{number:05}", "sales") for number in range(TABLES)]
    columns = tuple(Column(name, "INTEGER") for name in COLUMNS)
    entries = [
        PlanEntry(ref, TableSettings(), TableInfo(ref, columns), data_version=version if number < CHANGED else "1")
        for number, ref in enumerate(refs)
    ]
    return {entry.key: entry for entry in entries}


@dataclass
class Spent:
    """Seconds that a block took."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def spent() -> Iterator[Spent]:
    seconds, wall, cpu = Spent(), perf_counter(), process_time()
    yield seconds
    seconds.wall, seconds.cpu = perf_counter() - wall, process_time() - cpu


def look(ledger: Ledger, plan: dict[str, PlanEntry]) -> tuple[Diff, LedgerView]:
    seen = ledger.view()
    entries = Plan(IDENTITY, tuple(plan.values()))
    return diff(entries, seen.baselines, now=seen.now, profile_after=POLICY.profile_after), seen


def refresh(settings: ConnectionSettings, plan: dict[str, PlanEntry], *, changes: int) -> Spent:
    """One refresh from the look at the ledger until its doorbells are noted; the plan has been built before."""
    for entry in plan.values():
        assert entry.fingerprint
    with Store(settings) as store:
        ledger = store.ledger(IDENTITY, POLICY)
        with spent() as seconds:
            rung = ledger.record(*look(ledger, plan))
            ledger.mark_rung([entry.change_id for entry in rung])
    assert len(rung) == changes, f"{len(rung)} changes instead of {changes}"
    return seconds


class Worker:
    """A worker as the use cases have it, without the profile itself."""

    def __init__(self, settings: ConnectionSettings, plan: dict[str, PlanEntry]) -> None:
        self._store = Store(settings)
        self._ledger = self._store.ledger(IDENTITY, POLICY)
        self._plan = plan
        self._ledger.claim("nothing", "worker")

    def __call__(self, key: str, run_id: str) -> bool:
        claim = self._ledger.claim(key, "worker")
        if claim is None:
            return False
        self._ledger.commit(claim, RunRecord(run_id, self._plan[key], PROFILE))
        return True

    def close(self) -> None:
        self._store.close()


@dataclass(frozen=True)
class Crowd:
    """What many workers did together.

    :param rate: claims with their commits, a second.
    :param milliseconds: of CPU that a worker needed for one of them; that of the server is not in it.
    """

    rate: float
    milliseconds: float


def crowd(
    settings: ConnectionSettings, claimers: int, keys: list[str], make: Callable[[], Worker | ByHand], tries: int
) -> Crowd:
    """Have workers claim and commit the changes of these tables; each change is tried by so many of them."""
    fork = multiprocessing.get_context("fork")
    ready, results = fork.Barrier(claimers + 1), fork.SimpleQueue()

    def work(number: int) -> None:
        worker = make()
        # With several tries, those for one table come at about the same time.
        share = [key for position, key in enumerate(keys) if (position - number) % claimers < tries]
        ready.wait(60)
        try:
            with spent() as seconds:
                claimed = [key for key in share if worker(key, str(uuid4()))]
            results.put((claimed, seconds.cpu))
        except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
            results.put(error)
        worker.close()

    processes = [fork.Process(target=work, args=(number,)) for number in range(claimers)]
    for process in processes:
        process.start()
    ready.wait(60)
    started = perf_counter()
    answers = [results.get() for _ in processes]
    seconds = perf_counter() - started
    for process in processes:
        process.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    claimed = Counter(key for part, _ in answers for key in part)
    assert set(claimed) == set(keys), f"{len(set(keys) - set(claimed))} changes were left"
    assert set(claimed.values()) == {1}, f"claimed twice: {[key for key, times in claimed.items() if times > 1]}"
    return Crowd(len(keys) / seconds, 1000 * sum(cpu for _, cpu in answers) / len(keys))


def settle(settings: ConnectionSettings, plan: Mapping[str, PlanEntry], identity: Identity = IDENTITY) -> None:
    """Give every table a baseline, past the ledger: what is measured is not how the tables came to have one."""
    with Store(settings) as store:
        store.ensure()
    now, database = datetime.now(timezone.utc), Database(settings)
    rows = [
        {
            **identity_columns(identity),
            **table_columns(entry.ref),
            **fingerprint_columns(entry),
            **document_columns(entry),
            "profiled_at": now,
            "run_id": "first",
        }
        for entry in plan.values()
    ]
    state = make_tables(TableNames(), settings.schema).state
    database.write(lambda connection: connection.execute(state.insert(), rows))
    database.close()


def measure(settings: ConnectionSettings, claimers: int) -> None:
    """Print one database's figures."""
    plan = plan_of("1")
    settle(settings, plan)
    claimers = claimers if settings.type != "sqlite" else min(claimers, SQLITE_CLAIMERS)
    keys = list(plan)[:CHANGED]
    figures: dict[str, Crowd] = {}
    makers = {
        "ledger": lambda: Worker(settings, plan),
        "by hand": lambda: ByHand(settings, list(COLUMNS), list(METRIC_NAMES)),
        "ledger, each change tried by 4": lambda: Worker(settings, plan),
    }
    for version, (name, make) in enumerate(makers.items(), 2):
        plan = plan_of(str(version))
        seconds = refresh(settings, plan, changes=CHANGED)
        if version == 2:
            again = refresh(settings, plan, changes=0)
            print(
                f"{settings.type:9} refresh of {CHANGED:,} changes among {TABLES:,}: {seconds.cpu:.2f} s of CPU,"
                f" {seconds.wall:.2f} s in all; once more: {again.cpu:.2f} s, {again.wall:.2f} s"
            )
        figures[name] = crowd(settings, claimers, keys, make, 4 if "4" in name else 1)
    for name, figure in figures.items():
        print(
            f"{'':9} {claimers} claimers, {name:31} {figure.rate:6.0f} claims and commits a second,"
            f" {figure.milliseconds:5.2f} ms of a worker's CPU for each"
        )
    ratio = figures["by hand"].rate / figures["ledger"].rate
    print(f"{'':9} by hand is {ratio:.1f} times as fast")


@contextmanager
def mysql_database(_: str) -> Iterator[ConnectionSettings]:
    url, name = make_url(os.environ["PROFILEMESH_TEST_MYSQL_URL"]), f"pm_benchmark_{uuid4().hex[:12]}"
    admin = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=url.password or "", autocommit=True
    )
    admin.cursor().execute(f"CREATE DATABASE {name}")
    try:
        yield ConnectionSettings(
            "mysql", host=url.host, port=url.port, database=name, username=url.username, password=url.password
        )
    finally:
        admin.cursor().execute(f"DROP DATABASE {name}")
        admin.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--claimers", type=int, default=16)
    arguments = parser.parse_args()
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("; ".join(f"target: {value:g} {name}" for name, value in TARGETS.items()))
    places = [postgres_database, sqlite_file]
    if os.environ.get("PROFILEMESH_TEST_MYSQL_URL"):
        places.append(mysql_database)
    with tempfile.TemporaryDirectory(prefix="pm-bench-") as folder:
        for place in places:
            with place(folder) as settings:
                measure(settings, arguments.claimers)


if __name__ == "__main__":
    main()
