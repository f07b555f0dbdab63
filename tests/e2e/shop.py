"""A whole Airflow, with PostgreSQL as metadata database, source and store: what all end-to-end tests share."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import yaml
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from demo.standalone import SEPARATE, Standalone
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.core.uri import profiling_dag_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy.engine import URL, Engine

    from demo.rest import AirflowApi

    T = TypeVar("T")

REFRESH = "profilemesh_plan_refresh"

_EXAMPLES = Path(__file__).parents[2] / "dags"
_POLL_SECONDS = 0.2

# What waits in the queue becomes a run in one transaction, so one look at both never finds neither.
_BUSY = """
SELECT (SELECT count(*) FROM asset_dag_run_queue)
     + (SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running'))
"""


@dataclass
class Shop:
    """A running Airflow, its databases, and the configuration that its tasks read.

    :param reader: the role that tables are profiled as.
    """

    airflow: Standalone
    metadata: Engine
    source: Engine
    store: Engine
    config: Path
    reader: str
    seen: set[tuple[str, str]] = field(default_factory=set)

    @property
    def api(self) -> AirflowApi:
        return self.airflow.api

    def sql(self, statement: str) -> None:
        """Change the profiled database."""
        with self.source.begin() as connection:
            connection.execute(text(statement))

    def stored(self, statement: str) -> list[Any]:
        """Ask the store."""
        return rows(self.store, statement)

    def configure(self, **changes: Any) -> None:
        document = {**yaml.safe_load(self.config.read_text()), **changes}
        self.config.write_text(yaml.safe_dump(document))

    def list_tables(self, tables: list[dict[str, Any]]) -> None:
        self.configure(profiling={"tables": tables})

    def table_dags(self) -> dict[str, str]:
        """DAG id by table key, as the assets tell it."""
        return {
            asset["extra"]["table_key"]: dag["dag_id"]
            for asset in self.api.assets()
            if asset["uri"].startswith("profilemesh://e2e/shop/change/")
            for dag in asset["scheduled_dags"]
        }

    def refresh(self, **conf: Any) -> dict[str, str]:
        """Refresh, wait until nothing more happens, and return the state of each new profiling run by table key."""
        self.refresh_alone(**conf)
        new = self.settled()
        states = {key: run["state"] for key, run in new}
        assert len(states) == len(new), "a table ran twice"
        return states

    def refresh_alone(self, **conf: Any) -> None:
        """Refresh, and wait for that alone."""
        run_id = self.api.trigger(REFRESH, conf)
        assert self.api.wait_for_run(REFRESH, run_id)["state"] == "success"

    def settled(self) -> list[tuple[str, dict[str, Any]]]:
        """Wait until nothing runs or is queued; the profiling runs since the last time, with their tables' keys."""
        self.until(lambda: rows(self.metadata, _BUSY) == [(0,)], "everything that was started has ended")
        return self.new_runs()

    def new_runs(self) -> list[tuple[str, dict[str, Any]]]:
        """The profiling runs since the last time, oldest first, each with its table's key."""
        keys = {dag_id: key for key, dag_id in self.table_dags().items()}
        new = [run for run in self.api.runs() if run["dag_id"] in keys and _id_of(run) not in self.seen]
        self.seen |= set(map(_id_of, new))
        return [(keys[run["dag_id"]], run) for run in new]

    def last_run(self, key: str) -> dict[str, Any]:
        return self.api.runs(self.table_dags()[key])[-1]

    def reasons(self, key: str) -> list[dict[str, Any]]:
        """Why the table's last run started, as its asset event tells."""
        run = self.last_run(key)
        (event,) = self.api.triggering_events(run["dag_id"], run["dag_run_id"])
        return event["extra"]["reasons"]

    def tasks(self, key: str) -> dict[str, str]:
        """The states of the table's last run's tasks."""
        run = self.last_run(key)
        return {task["task_id"]: task["state"] for task in self.api.task_instances(run["dag_id"], run["dag_run_id"])}

    def until(self, condition: Callable[[], T], what: str, seconds: float = 240) -> T:
        """Wait until a condition holds, and return what made it hold."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            self.airflow.check()
            assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}; logs: {self.airflow.home}"
            time.sleep(_POLL_SECONDS)
        return found


def rows(engine: Engine, statement: str) -> list[Any]:
    """What a query answers."""
    with engine.connect() as connection:
        return list(connection.execute(text(statement)))


@contextmanager
def open_shop(
    home: Path,
    postgres_url: str,
    *,
    setup: str,
    tables: list[dict[str, Any]],
    airflow: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    dags: Mapping[str, str] | None = None,
) -> Iterator[Shop]:
    """Start an Airflow with the example DAGs, over new databases that go again in the end.

    Tables are profiled as a role that may read what is created in the source, and nothing else.

    :param setup: SQL that fills the source.
    :param tables: the ``profiling.tables`` of the configuration.
    :param airflow: its section ``airflow``.
    :param env: more environment variables for Airflow.
    :param dags: more DAG files, by name.
    """
    url = make_url(postgres_url).set(drivername="postgresql+psycopg2")
    number = uuid4().hex[:12]
    names = {role: f"pm_e2e_{role}_{number}" for role in ("metadata", "source", "store")}
    reader = f"pm_e2e_reader_{number}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    # Without a pool each connection ends at once, and with that PostgreSQL's counters are up to date.
    engines = {role: create_engine(url.set(database=name), poolclass=NullPool) for role, name in names.items()}
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE ROLE {reader} LOGIN PASSWORD '{reader}'"))
            for name in names.values():
                connection.execute(text(f'CREATE DATABASE "{name}"'))
        with engines["source"].begin() as connection:
            for granted in ("USAGE ON SCHEMAS", "SELECT ON TABLES"):
                connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES GRANT {granted} TO {reader}")
            connection.exec_driver_sql(setup.replace("%", "%%"))
        config = home / "config.yml"
        profiled = url.set(database=names["source"], username=reader, password=reader)
        document = {
            "environment": "e2e",
            "source": {"name": "shop", **_connection(profiled)},
            "storage": {"connection": _connection(url.set(database=names["store"]))},
            "profiling": {"tables": tables},
            # What runs here, the tests start.
            "airflow": {"watch": {"enabled": False}, **(airflow or {})},
        }
        config.write_text(yaml.safe_dump(document))
        standalone = Standalone(
            home,
            _write_dags(home / "dags", dags or {}),
            database_url=engines["metadata"].url.render_as_string(hide_password=False),
            components=SEPARATE,
            env={"PROFILEMESH_CONFIG": str(config), **(env or {})},
            parse_seconds=2,
        )
        with standalone:
            standalone.wait_healthy()
            refs = [TableRef(table["table"], table["schema"]) for table in tables]
            table_dags = {profiling_dag_id("profilemesh_profile", Identity("e2e", "shop"), ref) for ref in refs}
            standalone.wait_for_dags({REFRESH, *table_dags})
            yield Shop(standalone, **engines, config=config, reader=reader)
            standalone.kill()
    finally:
        for engine in engines.values():
            engine.dispose()
        with admin.connect() as connection:
            for name in names.values():
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            connection.execute(text(f"DROP ROLE IF EXISTS {reader}"))
        admin.dispose()


def _write_dags(folder: Path, more: Mapping[str, str]) -> Path:
    folder.mkdir()
    for example in _EXAMPLES.glob("profilemesh_*.py"):
        (folder / example.name).write_text(example.read_text())
    for name, source in more.items():
        (folder / name).write_text(source)
    return folder


def _connection(url: URL) -> dict[str, Any]:
    return {
        "type": "postgres",
        "host": url.host or url.query.get("host"),
        "port": url.port,
        "database": url.database,
        "username": url.username,
        "password": url.password,
    }


def _id_of(run: Mapping[str, Any]) -> tuple[str, str]:
    return run["dag_id"], run["dag_run_id"]
