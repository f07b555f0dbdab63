"""A whole Airflow of any release, seen through its metadata database, for what every release has to do.

Before 3.0 there is neither the REST API that the other end-to-end tests ask, nor the parts that serve it; the tables
that are read here have kept their names, or the new ones are known below.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from demo.standalone import SEPARATE, Standalone
from profilemesh_airflow.compat.airflow import find
from profilemesh_airflow.compat.capabilities import DATASETS, TASK_SDK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import Engine

    from tests.project import Project

_POLL_SECONDS = 0.2

# What `airflow dags trigger` does, without starting a whole Airflow for each run.
_TRIGGERS_DAGS = """
import json, sys
from airflow.api.common.trigger_dag import trigger_dag
for line in sys.stdin:
    dag_id, conf = json.loads(line)
    trigger_dag(dag_id, conf=conf)
    print("triggered", dag_id, flush=True)
"""

# What waits in the queue becomes a run in one transaction, so one look at both never finds neither.
_BUSY = "SELECT (SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running'))"
if DATASETS.available:
    _BUSY += f" + (SELECT count(*) FROM {'asset' if TASK_SDK.available else 'dataset'}_dag_run_queue)"

#: New files are found soon, and not read again, as nobody changes one. A setting that a release does not know has no
#: effect there.
_SETTINGS = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
    # Where two files that are read at once declare the same datasets, Airflow 2 drops one until it is read again.
    "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    # 3.0 starts four servers, and ends those that do not answer in time while they start.
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    # Its own mishaps on a busy machine are tried again: it may take a task for failed that comes back from the
    # triggerer before it has noted that it went there.
    "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
}


# Each task is forked from the scheduler. What is imported there, which knows no Airflow, is not imported for each anew.
_IMPORTED_ONCE = """
import profilemesh_airflow.usecases.drift
import profilemesh_airflow.usecases.watch
"""


class AnyAirflow(Standalone):
    """The parts that run DAGs, of the Airflow that is installed here."""

    def __init__(self, home: Path, dags: Path, database_url: str, env: Mapping[str, str]) -> None:
        triggerer = importlib.util.find_spec("airflow.cli.commands.triggerer_command")
        quiet = triggerer is None or "skip_serve_logs" in Path(triggerer.origin or "").read_text()
        super().__init__(
            home,
            dags,
            database_url=database_url,
            components=SEPARATE if TASK_SDK.available else ("scheduler", "triggerer"),
            # Before 2.6 a triggerer has no log server, and no option against one.
            log_servers=("scheduler", "triggerer") if quiet else ("scheduler",),
            env={**_SETTINGS, **env},
            parse_seconds=5,
        )
        self._hand: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the processes."""
        local_settings = self.home / "config" / "airflow_local_settings.py"
        local_settings.parent.mkdir(parents=True)
        local_settings.write_text(_IMPORTED_ONCE, encoding="utf-8")
        super().start()

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run by hand."""
        if TASK_SDK.available:
            self.api.trigger(dag_id, conf)
            return
        if self._hand is None:
            command = [sys.executable, "-c", _TRIGGERS_DAGS]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._hand = subprocess.Popen(command, env=self.env, text=True, **pipes)
        assert self._hand.stdin
        assert self._hand.stdout
        print(json.dumps([dag_id, dict(conf)]), file=self._hand.stdin, flush=True)
        told = iter(self._hand.stdout.readline, "")
        assert any(line == f"triggered {dag_id}\n" for line in told), f"{dag_id} could not be triggered"

    def start_web_server(self) -> None:
        """Start that of an Airflow 2; its REST API takes a user name and a password."""
        self.env |= {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": self.url.rpartition(":")[2],
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__WEBSERVER__SECRET_KEY": self.password,
        }
        self.start_component("webserver")

    def add_user(self, name: str, role: str) -> None:
        """Let somebody log in, with the password of this Airflow."""
        person = ("--username", name, "--firstname", name, "--lastname", name, "--email", f"{name}@example.org")
        self.run_command("users", "create", *person, "--role", role, "--password", self.password)

    def stop(self) -> None:
        """End everything that was started here."""
        super().stop()
        if self._hand is not None:
            self._hand.communicate()
            self._hand = None

    def migrate(self) -> None:
        """Bring the metadata database up to date; the command was named anew in 2.7."""
        named_anew = TASK_SDK.available or find("airflow.cli.commands.db_command", "migratedb")
        self.run_command("db", "migrate" if named_anew else "upgrade")


@dataclass
class Scene:
    """A running Airflow, and the project that its tasks profile."""

    airflow: AnyAirflow
    metadata: Engine
    project: Project
    seen: set[tuple[str, str]] = field(default_factory=set)

    def run(self, dag_id: str, **conf: Any) -> dict[str, str]:
        """Trigger a DAG, wait until nothing more happens, and return the state of each run since, by DAG.

        A DAG that ran twice is a failure.
        """
        self.trigger(dag_id, **conf)
        return self.settled()

    def trigger(self, dag_id: str, **conf: Any) -> None:
        """Trigger a DAG, and wait for nothing."""
        self.airflow.trigger(dag_id, conf)

    def settled(self) -> dict[str, str]:
        """Wait until nothing runs or is queued; the runs since the last time, by DAG."""
        self.until(lambda: self.rows(_BUSY) == [(0,)], "everything that was started has ended")
        runs = [
            row for row in self.rows("SELECT dag_id, run_id, state FROM dag_run") if tuple(row[:2]) not in self.seen
        ]
        self.seen |= {(dag_id, run_id) for dag_id, run_id, _ in runs}
        states = {dag_id: state for dag_id, _, state in runs}
        assert len(states) == len(runs), f"a DAG ran twice: {runs}"
        return states

    def tasks(self, dag_id: str) -> dict[str, str]:
        """The states of the tasks of a DAG's last run; of a mapped task, of one of its parts."""
        return dict(
            self.rows(
                f"""
                SELECT task_id, state FROM task_instance WHERE dag_id = '{dag_id}' AND run_id = (
                    SELECT run_id FROM dag_run WHERE dag_id = '{dag_id}' ORDER BY id DESC LIMIT 1)
                """
            )
        )

    def profiled(self) -> dict[str, int]:
        """How often each table was profiled, as the store has it."""
        if not self.project.store.exists():
            return {}
        with closing(sqlite3.connect(self.project.store)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'profilemesh_runs'").fetchone():
                return {}  # another process is about to make the store
            counted = "SELECT table_key, count(*) FROM profilemesh_runs WHERE status = 'completed' GROUP BY table_key"
            return dict(connection.execute(counted).fetchall())

    def rows(self, statement: str) -> list[Any]:
        """What Airflow's metadata database answers."""
        with self.metadata.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def execute(self, statement: str, **values: Any) -> None:
        """Change Airflow's metadata database."""
        with self.metadata.begin() as connection:
            connection.execute(text(statement), values)

    def wait_for_dags(self, dag_ids: set[str]) -> None:
        """Wait until Airflow has read these DAGs and may run them."""

        def there() -> bool:
            if errors := self.rows("SELECT filename, stacktrace FROM import_error"):
                raise AssertionError("\n".join(f"{file} cannot be imported:\n{trace}" for file, trace in errors))
            known = "SELECT dag.dag_id FROM dag JOIN serialized_dag s ON s.dag_id = dag.dag_id WHERE NOT is_paused"
            return dag_ids <= {dag_id for (dag_id,) in self.rows(known)}

        self.until(there, f"there are the DAGs {', '.join(sorted(dag_ids))}")

    def until(self, condition: Any, what: str, seconds: float = 240) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.airflow.check()
            assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}\n{self.airflow.log_tail()}"
            time.sleep(_POLL_SECONDS)


@contextmanager
def open_scene(
    home: Path, postgres_url: str, project: Project, dags: Mapping[str, str], env: Mapping[str, str] | None = None
) -> Iterator[Scene]:
    """Start an Airflow over a new metadata database that goes again in the end.

    :param dags: source of the DAG files, by name.
    :param env: more environment variables for Airflow.
    """
    url = make_url(postgres_url).set(drivername="postgresql+psycopg2")
    name = f"pm_any_{uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT", future=True)
    metadata = create_engine(url.set(database=name), poolclass=NullPool, future=True)
    folder = home / "dags"
    folder.mkdir(parents=True)
    for file, source in dags.items():
        (folder / file).write_text(source, encoding="utf-8")
    try:
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        database_url = metadata.url.render_as_string(hide_password=False)
        airflow = AnyAirflow(home, folder, database_url, {"PROFILEMESH_CONFIG": str(project.config), **(env or {})})
        with airflow:
            if TASK_SDK.available:
                airflow.wait_healthy()
            yield Scene(airflow, metadata, project)
            airflow.kill()
    finally:
        metadata.dispose()
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()
