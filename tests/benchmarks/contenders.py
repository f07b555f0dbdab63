"""One way to look at one table, in a process of its own, which prints as JSON what that took.

``python -m tests.benchmarks.contenders WAY SETTINGS TABLE`` (SETTINGS are those of the connection, as JSON).
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import METRICS, TableSettings
from profilemesh_airflow.warehouse import Means, Warehouse
from tests.benchmarks.spent import spent
from tests.warehouse.databases import Database

if TYPE_CHECKING:
    from collections.abc import Callable

#: The last column of each table, for which every row is taken apart.
LAST = {"mixed": "big_nullable", "flights": "time_hour"}

#: What baselinr computes too: the format has more.
EXACT = TableSettings(metrics=METRICS[: METRICS.index("histogram") + 1])
APPROXIMATE = TableSettings(metrics=EXACT.metrics, approximate=True)


def scan(database: Database, table: str) -> dict[str, Any]:
    """A plain scan."""
    database.ask(f"SELECT count({LAST[table]}) FROM {table}")
    return {"queries": 1, "reads": 1}


def every_value(database: Database, table: str) -> dict[str, Any]:
    """Every value once, to this process."""
    with database.connect() as connection:
        cursor = connection.cursor()
        if database.kind == "postgres":
            cursor.copy_expert(f"COPY {table} TO STDOUT (FORMAT binary)", _Nowhere())
        else:
            cursor.execute(f"SELECT * FROM {table}")
            while cursor.fetchmany(10_000):
                pass
    return {"queries": 1, "reads": 1}


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def _profile(settings: TableSettings, means: Means) -> Callable[[Database, str], dict[str, Any]]:
    def profile(database: Database, table: str) -> dict[str, Any]:
        info = database.info(table)
        found = database.warehouse.profile(info, settings, None, means)
        failed = [column.name for column in found.columns if column.errors]
        reads = found.rows_scanned // found.row_count
        return {"seconds": found.seconds, "queries": found.queries, "reads": reads, "failed": failed}

    return profile


WAYS: dict[str, Callable[[Database, str], dict[str, Any]]] = {
    "scan": scan,
    "every value once": every_value,
    "sql": _profile(EXACT, Means("sql")),
    "auto, with [fast]": _profile(EXACT, Means("auto")),
    "approximate": _profile(APPROXIMATE, Means("auto")),
}


def _warm_up(warehouse: Warehouse, kind: str) -> None:
    """As for the second table of a task at the latest: the packages of the extra are imported."""
    if kind == "sqlite":
        from profilemesh_airflow.warehouse.stream.sqlite import process_of

        process = process_of(warehouse._engine(None))
        process.start()
        process.ask("end")
    else:
        import_module("profilemesh_airflow.warehouse.stream.postgres")


def main() -> None:
    way, settings, table = sys.argv[1], ConnectionSettings(**json.loads(sys.argv[2])), sys.argv[3]
    with Warehouse(settings) as warehouse:
        if way.startswith("auto"):
            _warm_up(warehouse, settings.type)
        started = perf_counter()
        result = {"seconds": None, **WAYS[way](Database(settings, warehouse), table)}
        result["seconds"] = result["seconds"] or perf_counter() - started
        result |= spent()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
