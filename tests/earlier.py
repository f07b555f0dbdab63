"""The tables of the earlier integration, made and filled as it did, with its defects."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NUMBER = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY",
    "postgresql": "SERIAL PRIMARY KEY",
    "mysql": "INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY",
}
_MOMENT = {"sqlite": "DATETIME", "postgresql": "TIMESTAMP WITHOUT TIME ZONE", "mysql": "DATETIME"}

#: What its profiler wrote of a numeric column.
AMOUNT = {
    "count": "3",
    "null_count": "1",
    "null_percent": "33.33333333333333",
    "distinct_count": "2",
    "distinct_percent": "66.66666666666666",
    "min": "7.00",
    "max": "10.50",
    "mean": "8.75",
    "stddev": None,
    "histogram": '[{"bin_start": 7.0, "bin_end": 8.75, "count": 1}, {"bin_start": 8.75, "bin_end": 10.5, "count": 1}]',
}


@dataclass
class Earlier:
    """The earlier integration, at work in a database.

    :param run: executes a statement with its parameters.
    :param dialect: ``sqlite``, ``postgresql`` or ``mysql``.
    """

    run: Callable[..., Any]
    dialect: str
    runs: str = "profilemesh_runs"
    results: str = "profilemesh_results"

    def create(self, *, one_row_a_run: bool = False, numbered: bool = True, strict: bool = True) -> Earlier:
        """Make its tables.

        :param one_row_a_run: as its oldest release did: a run has one row, that of its first table, and the metrics
            refer to it.
        :param numbered: metric rows have an id.
        :param strict: there are keys, and not everything may be null; a copy of its tables may have lost that.
        """
        moment = _MOMENT[self.dialect]
        required = " NOT NULL" if strict else ""
        key = "run_id" if one_row_a_run else "run_id, dataset_name"
        primary = f", PRIMARY KEY ({key})" if strict else ""
        number = f"id {_NUMBER[self.dialect]}, " if numbered else ""
        reference = f", FOREIGN KEY (run_id) REFERENCES {self.runs}(run_id)" if one_row_a_run else ""
        self.run(
            f"CREATE TABLE {self.runs} (run_id VARCHAR(36){required}, dataset_name VARCHAR(255){required},"
            f" schema_name VARCHAR(255), profiled_at {moment}{required}, environment VARCHAR(50), status VARCHAR(20),"
            f" row_count INTEGER, column_count INTEGER{primary})"
        )
        self.run(
            f"CREATE TABLE {self.results} ({number}run_id VARCHAR(36){required}, dataset_name VARCHAR(255){required},"
            f" schema_name VARCHAR(255), column_name VARCHAR(255){required}, column_type VARCHAR(100),"
            f" metric_name VARCHAR(100){required}, metric_value TEXT, profiled_at {moment}{required}{reference})"
        )
        self.run(f"CREATE INDEX idx_results_run_id ON {self.results} (run_id)")
        self.run(
            "CREATE TABLE profilemesh_schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMP NOT NULL"
            " DEFAULT CURRENT_TIMESTAMP, description VARCHAR(500), migration_script VARCHAR(255), checksum VARCHAR(64))"
        )
        self.run("INSERT INTO profilemesh_schema_version (version, description) VALUES (1, 'Initial schema version')")
        self.run("CREATE TABLE profilemesh_events (event_id VARCHAR(36) PRIMARY KEY, table_name VARCHAR(255))")
        self.run("CREATE TABLE profilemesh_table_state (table_name VARCHAR(255) PRIMARY KEY, snapshot_id VARCHAR(64))")
        return self

    def profile(
        self,
        run_id: str,
        table: str,
        columns: dict[tuple[str, str], dict[str, str | None]],
        *,
        at: str = "2024-01-01 10:00:00",
        schema: str | None = "sales",
        environment: str | None = "test",
        status: str | None = "completed",
        row_count: int | None = 3,
        one_row_a_run: bool = False,
    ) -> None:
        """One run of a table: its run row, unless there is one by this name (or at all) in the run, and its metrics."""
        known = f"run_id = '{run_id}'" + ("" if one_row_a_run else f" AND dataset_name = '{table}'")
        if not self.run(f"SELECT run_id FROM {self.runs} WHERE {known}"):
            self._insert(
                self.runs,
                run_id=run_id,
                dataset_name=table,
                schema_name=schema,
                profiled_at=at,
                environment=environment,
                status=status,
                row_count=row_count,
                column_count=len(columns),
            )
        for (column, kind), metrics in columns.items():
            for metric, value in metrics.items():
                self.metric(run_id, table, column, kind, metric, value, at=at, schema=schema)

    def metric(
        self,
        run_id: str | None,
        table: str | None,
        column: str | None,
        kind: str | None,
        metric: str | None,
        value: str | None,
        *,
        at: str | None = "2024-01-01 10:00:00",
        schema: str | None = "sales",
    ) -> None:
        """One metric row."""
        self._insert(
            self.results,
            run_id=run_id,
            dataset_name=table,
            schema_name=schema,
            column_name=column,
            column_type=kind,
            metric_name=metric,
            metric_value=value,
            profiled_at=at,
        )

    def _insert(self, into: str, **values: Any) -> None:
        names = ", ".join(values)
        self.run(f"INSERT INTO {into} ({names}) VALUES ({', '.join(f':{name}' for name in values)})", **values)

    def dump(self) -> list[Any]:
        """Every row, with the mark that an update would leave on it."""
        mark = ", xmin::text, ctid::text" if self.dialect == "postgresql" else ""
        return [
            [tuple(row) for row in self.run(f"SELECT *{mark} FROM {table} ORDER BY 1, 2, 5, 7")]
            for table in (self.runs, self.results)
        ]


def earlier_in(path: Path) -> Earlier:
    """The earlier integration, with its tables in a SQLite file."""

    def run(statement: str, **values: Any) -> list[Any]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    return Earlier(run, "sqlite").create()
