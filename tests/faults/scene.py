"""A shop whose tables change in every way, profiled by workers that are killed; and what has to hold afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from profilemesh_airflow.config import load_config
from profilemesh_airflow.drivers import postgres_url
from profilemesh_airflow.store.engine import make_engine
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.workspace import Workspace
from tests.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.core.connection import ConnectionSettings

ROOT = Path(__file__).parents[2]
KILLED = -9

#: Of leases and waits: how long a test waits until nobody is thought to be at work.
PATIENCE = 1


class Workers:
    """A few processes that fork workers, for as many at once."""

    def __init__(self, number: int) -> None:
        command = [sys.executable, "-m", "tests.faults.worker", "--serve"]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self._servers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(number)]
        self._idle: Queue[subprocess.Popen[str]] = Queue()
        for server in self._servers:
            self._idle.put(server)

    def run(self, config: Path, **environment: str) -> int:
        """Have a worker run to its end; its exit code."""
        server = self._idle.get()
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps({"config": str(config), "environment": environment}) + "\n")
            return int(server.stdout.readline())
        finally:
            self._idle.put(server)

    def close(self) -> None:
        for server in self._servers:
            server.communicate()


@dataclass(frozen=True)
class Databases:
    """Where a scene's tables are, and where its store is; none is a SQLite file in the scene's folder."""

    source: ConnectionSettings | None = None
    storage: ConnectionSettings | None = None


class Scene(Project):
    """One shop with a name of its own; others may share its databases.

    :param name: its environment, and its schema where the profiled database is PostgreSQL.
    """

    def __init__(self, folder: Path, name: str, databases: Databases) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.name = name
        self.round = 0
        self.databases = databases
        self.sections["environment"] = name
        self.sections["airflow"] = {
            "lease": f"{PATIENCE}s",
            "redeliver_after": f"{PATIENCE}s",
            "max_attempts": 3,
            "on_empty": "fail",
        }
        if databases.source:
            self.sections["source"] = {"name": "shop", **_section(databases.source)}
        if databases.storage:
            self.sections["storage"] = {"connection": _section(databases.storage)}
        self.sections["profiling"] = {"metrics": ["count", "null_count"]}

    def sql(self, *statements: str) -> None:
        """Run statements on the profiled database; ``{0}`` is where the schema goes."""
        if self.databases.source is None:
            super().sql(*(statement.format("") for statement in statements))
            return
        url = postgres_url(self.databases.source)
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, future=True)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement.format(f"{self.name}.")))
            # PostgreSQL reports what a session changed with a delay of seconds, unless told so.
            connection.execute(text("SELECT pg_stat_force_next_flush()"))

    @property
    def tables(self) -> tuple[str, ...]:
        """What is listed. The second one is new in every round."""
        return "orders", f"round_{self.round}", "items", "still"

    def _list_tables(self) -> None:
        schema = {"schema": self.name} if self.databases.source else {}
        metrics = ["count", "min" if self.round % 2 else "max"]
        self.configure(
            *({**schema, "table": name, **({"metrics": metrics} if name == "items" else {})} for name in self.tables)
        )

    def open_shop(self) -> None:
        """Four tables, not profiled yet."""
        if self.databases.source:
            self.sql(f"CREATE SCHEMA {self.name}")
        self.sql(*(f"CREATE TABLE {{0}}{name} (id INTEGER PRIMARY KEY, amount FLOAT)" for name in self.tables))
        self.sql(*(f"INSERT INTO {{0}}{name} VALUES (1, 10.5), (2, NULL)" for name in self.tables))
        self._list_tables()

    def change_everything(self) -> None:
        """A next round: new data, new columns and settings, a table fewer, and a new one that fails as it is empty."""
        self.round += 1
        self.sql(
            "INSERT INTO {0}orders SELECT max(id) + 1, 7.0 FROM {0}orders",
            f"ALTER TABLE {{0}}items ADD COLUMN weight_{self.round} FLOAT",
            f"CREATE TABLE {{0}}round_{self.round} (id INTEGER PRIMARY KEY)",
        )
        self._list_tables()

    def change_meanwhile(self) -> None:
        """What arrives while the worker is dead."""
        self.sql(
            "INSERT INTO {0}orders SELECT max(id) + 1, 1.0 FROM {0}orders",
            f"INSERT INTO {{0}}round_{self.round} VALUES (1)",
        )

    def problems(self) -> list[str]:
        """Whatever is not as it should be once all changes are profiled."""
        with Workspace(load_config(self.config)) as workspace:
            found = detect(workspace).diff
            baselines = workspace.ledger.baselines()
            problems = [f"still changed: {change.key} {change.reasons}" for change in found.changes]
            problems += [f"still to be removed: {ref}" for ref in found.removed]
            if {baseline.ref.table for baseline in baselines.values()} != set(self.tables):
                problems.append(f"baselines of {sorted(baselines)}")
        return problems + self._inconsistencies()

    def _inconsistencies(self) -> list[str]:
        with self.store_rows() as rows:
            return [
                f"{what}: {found}"
                for what, query in INCONSISTENCIES.items()
                if (found := rows(query, environment=self.name))
            ]

    @contextmanager
    def store_rows(self) -> Iterator[Any]:
        """Looks past the store, at its tables."""
        with Workspace(load_config(self.config)) as workspace:
            engine = make_engine(workspace.storage_settings)
        try:
            with engine.connect() as connection:
                yield lambda query, **values: connection.execute(text(query), values).all()
        finally:
            engine.dispose()


def _section(settings: ConnectionSettings) -> dict[str, Any]:
    names = ("type", "host", "port", "database", "username", "password", "extra_params")
    return {name: getattr(settings, name) for name in names if getattr(settings, name)}


#: By what would be wrong: a query that finds it.
INCONSISTENCIES = {
    "open changes": """
        SELECT table_key, state, last_error FROM profilemesh_changes
        WHERE environment = :environment AND (state <> 'closed' OR open_slot IS NOT NULL)""",
    "closed changes that are still held, or have no outcome": """
        SELECT table_key, claimed_by, lease_until, outcome FROM profilemesh_changes
        WHERE environment = :environment
        AND (claimed_by IS NOT NULL OR lease_until IS NOT NULL OR outcome IS NULL OR closed_at IS NULL)""",
    "profiled changes without a claim or their run": """
        SELECT c.table_key, c.token, c.run_id FROM profilemesh_changes c LEFT JOIN profilemesh_runs r
        ON r.run_id = c.run_id AND r.table_key = c.table_key AND r.change_id = c.change_id AND r.status = 'completed'
        WHERE c.environment = :environment AND c.outcome = 'profiled' AND (c.token < 1 OR r.run_id IS NULL)""",
    "runs without a change": """
        SELECT r.table_key, r.run_id, r.status FROM profilemesh_runs r LEFT JOIN profilemesh_changes c
        ON c.change_id = r.change_id AND c.table_key = r.table_key AND c.environment = r.environment
        WHERE r.environment = :environment AND c.change_id IS NULL""",
    "results without a run": """
        SELECT m.table_key, m.run_id FROM profilemesh_results m LEFT JOIN profilemesh_runs r
        ON r.run_id = m.run_id AND r.table_key = m.table_key AND r.status = 'completed' WHERE r.run_id IS NULL""",
    "completed runs without all of their metrics, or with some of them twice": """
        SELECT r.table_key, r.run_id, r.column_count, count(m.column_position) FROM profilemesh_runs r
        LEFT JOIN profilemesh_results m ON m.run_id = r.run_id AND m.table_key = r.table_key AND m.metric_name = 'count'
        WHERE r.environment = :environment AND r.status = 'completed'
        GROUP BY r.table_key, r.run_id, r.column_count HAVING count(m.column_position) <> r.column_count""",
    "baselines that are not the latest completed run": """
        SELECT s.table_key, s.run_id FROM profilemesh_table_state s LEFT JOIN profilemesh_runs r
        ON r.run_id = s.run_id AND r.table_key = s.table_key AND r.status = 'completed'
        AND r.settings_digest = s.settings_digest AND r.schema_digest = s.schema_digest
        AND r.data_digest = s.data_digest
        WHERE s.environment = :environment AND (r.run_id IS NULL OR r.profiled_at <> (
            SELECT max(latest.profiled_at) FROM profilemesh_runs latest
            WHERE latest.environment = s.environment AND latest.table_key = s.table_key
            AND latest.status = 'completed'))""",
    "tables profiled twice at one fingerprint": """
        SELECT table_key, settings_digest, schema_digest, data_digest, count(*) FROM profilemesh_runs
        WHERE environment = :environment AND status = 'completed'
        GROUP BY table_key, settings_digest, schema_digest, data_digest HAVING count(*) > 1""",
}
