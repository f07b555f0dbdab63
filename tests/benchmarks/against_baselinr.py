"""This profiler beside baselinr 0.9.0, a plain scan, and every value sent once; each in a process of its own.

``python -m tests.benchmarks.against_baselinr [--rows 1000000] [--runs 3]`` from the root of the repository, on a quiet
machine; baselinr gets an environment of its own. PostgreSQL is the server of
``PROFILEMESH_TEST_POSTGRES_URL``, or else an embedded one. Times are those of the fastest run; baselinr, which takes
far longer, runs once. ``reads`` is how often the table is read; of all ``queries`` some only prepare that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from uv import find_uv_bin

from profilemesh_airflow.warehouse import Warehouse
from tests.benchmarks.mixed import load_mixed
from tests.benchmarks.profile_flights import postgres_database, sqlite_file
from tests.benchmarks.server_cpu import ServerCpu
from tests.warehouse.databases import Database
from tests.warehouse.flights import load_frame, read_frame

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

BASELINR = ("baselinr==0.9.0", "sqlalchemy<2.1", "psycopg2-binary")
DRIVER = Path(__file__).with_name("baselinr_driver.py")

WAYS = ("scan", "every value once", "baselinr", "sql", "auto, with [fast]", "approximate")

#: (database, table, way): times faster than baselinr.
GOALS = {
    ("postgres", "mixed", "auto, with [fast]"): 10,
    ("postgres", "flights", "auto, with [fast]"): 15,
    ("postgres", "mixed", "approximate"): 12,
    ("sqlite", "mixed", "auto, with [fast]"): 13,
    ("sqlite", "flights", "auto, with [fast]"): 16,
    ("sqlite", "mixed", "sql"): 6,
    ("sqlite", "flights", "sql"): 5,
}


def baselinr_python(folder: str) -> str:
    """An environment with baselinr in it."""
    uv, environment = find_uv_bin(), f"{folder}/baselinr"
    subprocess.run([uv, "venv", "--quiet", environment], check=True)
    python = f"{environment}/bin/python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *BASELINR], check=True)
    return python


def command(way: str, settings: ConnectionSettings, table: str, baselinr: str) -> list[str]:
    given = {name: value for name, value in asdict(settings).items() if value}
    if way == "baselinr":
        source = {"database": "unused", **given} if settings.type == "sqlite" else given
        if str(source.get("host")).startswith("/"):
            # It writes the host of its URL itself, where the folder of a socket has no place.
            source["extra_params"] = {"connect_args": {"host": source.pop("host")}}
        return [baselinr, str(DRIVER), json.dumps(source), table]
    return [sys.executable, "-m", "tests.benchmarks.contenders", way, json.dumps(given), table]


def postmaster_of(settings: ConnectionSettings) -> int | None:
    """The first process of a PostgreSQL server on this machine."""
    if settings.type != "postgres":
        return None
    with Warehouse(settings) as warehouse, Database(settings, warehouse).connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        return psutil.Process(cursor.fetchone()[0]).ppid()


def measure(way: str, settings: ConnectionSettings, table: str, baselinr: str) -> dict[str, Any]:
    with ServerCpu(postmaster_of(settings)) as server:
        done = subprocess.run(command(way, settings, table, baselinr), check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if found.get("failed"):
        print(f"    {way}: without {', '.join(found['failed'])}")
    return {**found, "server_cpu": server.seconds}


def compare(settings: ConnectionSettings, table: str, baselinr: str, runs: int) -> None:
    found: dict[str, dict[str, Any]] = {}
    for way in WAYS:
        if way == "approximate" and (settings.type, table, way) not in GOALS:
            continue
        times = 1 if way == "baselinr" else runs
        each = [measure(way, settings, table, baselinr) for _ in range(times)]
        found[way] = min(each, key=lambda one: one["seconds"])
    print(f"\n{settings.type}, {table}")
    print(
        f"  {'':20}{'s':>8}{'faster':>10}{'goal':>7}{'scans':>8}{'every value':>13}{'server CPU':>12}{'client CPU':>12}"
        f"{'client MB':>11}{'queries':>9}{'reads':>7}"
    )
    for way, one in found.items():
        print(line(way, one, found, GOALS.get((settings.type, table, way))))


def line(way: str, one: dict[str, Any], found: dict[str, dict[str, Any]], goal: int | None) -> str:
    def times(other: str) -> float:
        return float(one["seconds"] / found[other]["seconds"])

    server = "-" if one["server_cpu"] is None else f"{one['server_cpu']:.2f}"
    faster, wanted = f"{1 / times('baselinr'):.1f}x", f"{goal}x" if goal else ""
    return (
        f"  {way:20}{one['seconds']:8.2f}{faster:>10}{wanted:>7}{times('scan'):8.0f}{times('every value once'):13.1f}"
        f"{server:>12}{one['client_cpu']:12.2f}{one['client_mb']:11.0f}{one['queries']:9}{one.get('reads', '-'):>7}"
    )


def fill(settings: ConnectionSettings, rows: int) -> None:
    with Warehouse(settings) as warehouse:
        database = Database(settings, warehouse)
        load_mixed(database, rows)
        load_frame(database, "flights", read_frame("flights"))
        if settings.type == "postgres":
            database.run("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table `mixed`")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"mixed: {arguments.rows:,} x 20; flights: 336,776 x 19")
    with tempfile.TemporaryDirectory(prefix="pm-bench-") as folder:
        baselinr = baselinr_python(folder)
        for place in (postgres_database, sqlite_file):
            with place(folder) as settings:
                fill(settings, arguments.rows)
                for table in ("mixed", "flights"):
                    compare(settings, table, baselinr, arguments.runs)


if __name__ == "__main__":
    main()
