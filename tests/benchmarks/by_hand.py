"""The plainest pair of transactions that claims a change and commits its profile: what a ledger costs at the least."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg2
import pymysql

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

NOW, LATER = "2024-01-01 00:00:00", "2124-01-01 00:00:00"
WHOSE = "environment = 'load' AND source_name = 'warehouse' AND table_key = ?"
CLAIM = f"""UPDATE profilemesh_changes SET state = 'claimed', token = token + 1, revision = revision + 1,
 claimed_revision = target_revision, claimed_by = ?, lease_until = '{LATER}', updated_at = '{NOW}'
 WHERE {WHOSE} AND open_slot = 1 AND state = 'open'"""
CLAIMED = f"SELECT change_id, token, target_data FROM profilemesh_changes WHERE {WHOSE} AND open_slot = 1"
RUN = f"""INSERT INTO profilemesh_runs (run_id, environment, source_name, table_key, dataset_name, profiled_at, status,
 reasons, row_count, column_count, change_id, worker)
 VALUES (?, 'load', 'warehouse', ?, ?, '{NOW}', 'completed', '[]', 3, 5, ?, ?)"""
METRIC = f"(?, ?, ?, ?, ?, ?, 'INTEGER', '7', 'int', 7, '{NOW}')"
METRICS = """INSERT INTO profilemesh_results (run_id, table_key, column_position, metric_name, dataset_name,
 column_name, column_type, metric_value, value_type, numeric_value, profiled_at) VALUES """
BASELINE = f"UPDATE profilemesh_table_state SET data_digest = ?, run_id = ?, profiled_at = '{NOW}' WHERE {WHOSE}"
CLOSE = f"""UPDATE profilemesh_changes SET state = 'closed', open_slot = NULL, outcome = 'profiled', run_id = ?,
 closed_at = '{NOW}', updated_at = '{NOW}', revision = revision + 1 WHERE change_id = ? AND token = ?"""


class ByHand:
    """One worker's connection, with nothing between it and the driver.

    :param columns: names of the profiled table's columns.
    :param metrics: names of each column's metrics.
    """

    def __init__(self, settings: ConnectionSettings, columns: list[str], metrics: list[str]) -> None:
        self._kind = settings.type
        self._connection: Any = _CONNECT[settings.type](settings)
        self._columns = columns
        self._metrics = metrics
        self._insert_metrics = METRICS + ", ".join([METRIC] * (len(columns) * len(metrics)))

    def __call__(self, key: str, run_id: str) -> bool:
        """Claim the table's change and commit a profile; whether there was anything to claim."""
        cursor = self._connection.cursor()
        claim = self._claim(cursor, key)
        self._connection.commit()
        if claim is None:
            return False
        change_id, token, digest = claim
        self._begin(cursor)
        self._run(cursor, RUN, run_id, key, key, change_id, "worker")
        values = [
            value
            for position, column in enumerate(self._columns)
            for metric in self._metrics
            for value in (run_id, key, position, metric, key, column)
        ]
        self._run(cursor, self._insert_metrics, *values)
        self._run(cursor, BASELINE, digest, run_id, key)
        self._run(cursor, CLOSE, run_id, change_id, token)
        self._connection.commit()
        return True

    def _claim(self, cursor: Any, key: str) -> Any:
        self._begin(cursor)
        if self._kind == "mysql":
            # MariaDB returns nothing from an UPDATE.
            claimed = self._run(cursor, CLAIM, "worker", key).rowcount
            return self._run(cursor, CLAIMED, key).fetchone() if claimed else None
        return self._run(cursor, f"{CLAIM} RETURNING change_id, token, target_data", "worker", key).fetchone()

    def _begin(self, cursor: Any) -> None:
        if self._kind == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")

    def _run(self, cursor: Any, statement: str, *values: Any) -> Any:
        cursor.execute(statement if self._kind == "sqlite" else statement.replace("?", "%s"), values)
        return cursor

    def close(self) -> None:
        self._connection.close()


def _sqlite(settings: ConnectionSettings) -> Any:
    return sqlite3.connect(settings.filepath or "", timeout=30, isolation_level=None)


def _postgres(settings: ConnectionSettings) -> Any:
    return psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.username,
        password=settings.password,
    )


def _mysql(settings: ConnectionSettings) -> Any:
    return pymysql.connect(
        host=settings.host,
        port=settings.port or 3306,
        database=settings.database,
        user=settings.username,
        password=settings.password or "",
    )


_CONNECT = {"sqlite": _sqlite, "postgres": _postgres, "mysql": _mysql}
