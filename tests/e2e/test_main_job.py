"""The main job on a whole Airflow, with PostgreSQL as metadata database, source and store."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from demo.standalone import SEPARATE, Standalone

if TYPE_CHECKING:
    from demo.rest import AirflowApi

pytestmark = pytest.mark.e2e

REFRESH = "profilemesh_plan_refresh"
EXAMPLES = Path(__file__).parents[2] / "dags"
TABLES = [
    {"schema": "sales", "table": "orders"},
    {"schema": "hr", "table": "orders"},
    {"schema": "sales", "table": "customers"},
    {"schema": "sales", "table": 'odd "name".%:'},
]
SETUP = """
CREATE SCHEMA sales; CREATE SCHEMA hr;
CREATE TABLE sales.orders (id bigint, amount numeric(12, 2), placed_at timestamptz);
INSERT INTO sales.orders SELECT i, i * 1.5, now() FROM generate_series(1, 100) i;
CREATE TABLE hr.orders (id int); INSERT INTO hr.orders VALUES (1), (2);
CREATE TABLE sales.customers (name text, vip boolean); INSERT INTO sales.customers VALUES ('ann', true), (NULL, false);
CREATE TABLE sales."odd ""name"".%:" (x int); INSERT INTO sales."odd ""name"".%:" VALUES (7);
"""
ODD_KEY = "sales.odd%20%22name%22%2E%25%3A"


@dataclass
class Shop:
    """A running Airflow, the database it profiles and the configuration it reads."""

    airflow: Standalone
    source: Any
    store: Any
    config: Path
    seen: set[tuple[str, str]] = field(default_factory=set)

    @property
    def api(self) -> AirflowApi:
        return self.airflow.api

    def sql(self, statement: str) -> None:
        with self.source.begin() as connection:
            connection.execute(text(statement))

    def stored(self, statement: str) -> list[Any]:
        with self.store.connect() as connection:
            return list(connection.execute(text(statement)))

    def configure(self, **changes: Any) -> None:
        document = {**yaml.safe_load(self.config.read_text()), **changes}
        self.config.write_text(yaml.safe_dump(document))

    def list_tables(self, tables: list[dict[str, Any]]) -> None:
        self.configure(profiling={"tables": tables})

    def table_dags(self) -> dict[str, str]:
        """DAG id by table key, as the assets tell it."""
        found = {}
        for asset in self.api.assets():
            prefix, _, _ = asset["uri"].partition("/change/")
            if prefix == "profilemesh://e2e/shop" and "/change/" in asset["uri"]:
                for dag in asset["scheduled_dags"]:
                    found[asset["extra"]["table_key"]] = dag["dag_id"]
        return found

    def refresh(self, **conf: Any) -> dict[str, str]:
        """Refresh, wait until nothing more happens, and return the state of each new profiling run by table key."""
        run_id = self.api.trigger(REFRESH, conf)
        assert self.api.wait_for_run(REFRESH, run_id)["state"] == "success"
        runs = self._settled_runs()
        keys = {dag_id: key for key, dag_id in self.table_dags().items()}
        new = [run for run in runs if (run["dag_id"], run["dag_run_id"]) not in self.seen]
        self.seen |= {(run["dag_id"], run["dag_run_id"]) for run in new}
        assert len({run["dag_id"] for run in new}) == len(new), "a table ran twice"
        return {keys[run["dag_id"]]: run["state"] for run in new}

    def _settled_runs(self) -> list[dict[str, Any]]:
        deadline, quiet_since = time.monotonic() + 120, time.monotonic()
        before: list[Any] = []
        while time.monotonic() - quiet_since < 6:
            self.airflow.check()
            runs = [run for run in self.api.runs() if run["dag_id"] != REFRESH]
            states = [(run["dag_id"], run["dag_run_id"], run["state"]) for run in runs]
            if states != before or not {state for *_, state in states} <= {"success", "failed"}:
                before, quiet_since = states, time.monotonic()
            assert time.monotonic() < deadline, states
            time.sleep(0.5)
        return runs

    def last_run(self, key: str) -> dict[str, Any]:
        return self.api.runs(self.table_dags()[key])[-1]

    def reasons(self, key: str) -> list[dict[str, Any]]:
        """Why the table's last run started, as its asset event tells."""
        run = self.last_run(key)
        (event,) = self.api.triggering_events(run["dag_id"], run["dag_run_id"])
        return event["extra"]["reasons"]

    def tasks(self, key: str) -> dict[str, str]:
        run = self.last_run(key)
        return {task["task_id"]: task["state"] for task in self.api.task_instances(run["dag_id"], run["dag_run_id"])}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, postgres_url):
    home = tmp_path_factory.mktemp("airflow")
    url = make_url(postgres_url).set(drivername="postgresql+psycopg2")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    names = {role: f"pm_e2e_{role}_{int(time.time() * 1000)}" for role in ("metadata", "source", "store")}
    with admin.connect() as connection:
        for name in names.values():
            connection.execute(text(f'CREATE DATABASE "{name}"'))
    # Without a pool each connection ends at once, and with that PostgreSQL's counters are up to date.
    source, store = (create_engine(url.set(database=names[role]), poolclass=NullPool) for role in ("source", "store"))
    with source.begin() as connection:
        connection.exec_driver_sql(SETUP.replace("%", "%%"))

    dags = home / "dags"
    dags.mkdir()
    for example in EXAMPLES.glob("profilemesh_*.py"):
        (dags / example.name).write_text(example.read_text())
    config = home / "config.yml"

    def connection_to(role: str) -> dict[str, Any]:
        parts = {"host": url.host or url.query.get("host"), "port": url.port, "username": url.username}
        return {"type": "postgres", "database": names[role], "password": url.password, **parts}

    config.write_text(
        yaml.safe_dump(
            {
                "environment": "e2e",
                "source": {"name": "shop", **connection_to("source")},
                "storage": {"connection": connection_to("store")},
                "profiling": {"tables": TABLES},
            }
        )
    )
    metadata = url.set(database=names["metadata"]).render_as_string(hide_password=False)
    airflow = Standalone(
        home, dags, database_url=metadata, components=SEPARATE, env={"PROFILEMESH_CONFIG": str(config)}, parse_seconds=2
    )
    try:
        with airflow:
            airflow.wait_healthy()
            airflow.wait_for_dags({REFRESH, "profilemesh_profile.e2e.shop.sales.orders"})
            yield Shop(airflow, source, store, config)
    finally:
        source.dispose()
        store.dispose()
        with admin.connect() as connection:
            for name in names.values():
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


class TestMainJob:
    """One story: the steps build on each other, in this order."""

    def test_the_graph_shows_plan_assets_and_profiling_dags_before_any_event(self, shop):
        assert set(shop.table_dags()) == {"sales.orders", "hr.orders", "sales.customers", ODD_KEY}
        graph = shop.api.asset_graph(f"dag:{REFRESH}")
        labels = {node["id"]: node["label"] for node in graph["nodes"]}
        edges = {(labels[edge["source_id"]], labels[edge["target_id"]]) for edge in graph["edges"]}

        for key, uri in (("sales.orders", "sales/orders"), ("hr.orders", "hr/orders")):
            asset = f"profilemesh://e2e/shop/change/{uri}"
            assert (REFRESH, asset) in edges
            assert (asset, shop.table_dags()[key]) in edges
        assert not shop.api.call("GET", "/api/v2/assets/events")["asset_events"]

    def test_a_dry_run_runs_nothing_and_writes_nothing(self, shop):
        assert shop.refresh(dry_run=True) == {}
        assert shop.stored("SELECT to_regclass('profilemesh_changes')") == [(None,)]

    def test_the_first_refresh_profiles_every_table(self, shop):
        assert shop.refresh() == dict.fromkeys(("sales.orders", "hr.orders", "sales.customers", ODD_KEY), "success")
        assert shop.tasks("sales.orders") == {"profile": "success", "drift": "skipped"}
        assert shop.stored("SELECT table_key, row_count FROM profilemesh_runs ORDER BY table_key") == [
            ("hr.orders", 2),
            ("sales.customers", 2),
            (ODD_KEY, 1),
            ("sales.orders", 100),
        ]

    def test_an_unchanged_refresh_rings_nobody(self, shop):
        assert shop.refresh() == {}

    def test_new_rows_run_just_their_table_and_its_drift(self, shop):
        shop.sql("INSERT INTO sales.orders SELECT i, i * 1.5, now() FROM generate_series(101, 200) i")
        assert shop.refresh() == {"sales.orders": "success"}
        (reason,) = shop.reasons("sales.orders")
        assert (reason["kind"], reason["field"]) == ("data", "version")
        assert "inserted=100" in reason["before"]
        assert "inserted=200" in reason["after"]
        assert shop.tasks("sales.orders") == {"profile": "success", "drift": "success"}
        drift = shop.api.call("GET", "/api/v2/assets/events", params={"source_task_id": "drift"})["asset_events"]
        assert [event["extra"]["table_key"] for event in drift] == ["sales.orders"]

    def test_a_new_column_runs_just_its_table(self, shop):
        shop.sql("ALTER TABLE hr.orders ADD COLUMN note text")
        assert shop.refresh() == {"hr.orders": "success"}
        assert {"kind": "schema", "field": "note", "before": None, "after": "text"} in shop.reasons("hr.orders")

    def test_other_settings_of_one_table_run_just_that_table(self, shop):
        changed = [{**table, "metrics": ["count"]} if table["table"] == "customers" else table for table in TABLES]
        shop.list_tables(changed)
        assert shop.refresh() == {"sales.customers": "success"}
        assert {reason["kind"] for reason in shop.reasons("sales.customers")} == {"settings"}

    def test_an_added_table_runs_alone_once_its_dag_is_there(self, shop):
        shop.sql("CREATE TABLE sales.items AS SELECT 1 AS id")
        tables = yaml.safe_load(shop.config.read_text())["profiling"]["tables"]
        shop.list_tables([*tables, {"schema": "sales", "table": "items"}])
        shop.airflow.wait_for_dags({"profilemesh_profile.e2e.shop.sales.items"})
        assert shop.refresh() == {"sales.items": "success"}
        assert [reason["kind"] for reason in shop.reasons("sales.items")] == ["added"]

    def test_a_removed_table_runs_nothing_and_leaves_its_history(self, shop):
        tables = yaml.safe_load(shop.config.read_text())["profiling"]["tables"]
        shop.list_tables([table for table in tables if table["table"] != "items"])
        assert shop.refresh() == {}
        assert shop.stored("SELECT 1 FROM profilemesh_table_state WHERE table_key = 'sales.items'") == []
        assert shop.stored("SELECT row_count FROM profilemesh_runs WHERE table_key = 'sales.items'") == [(1,)]

    def test_a_forced_table_runs_alone_with_the_reason_given(self, shop):
        assert shop.refresh(tables=["sales.orders"], force=True, reason="month end") == {"sales.orders": "success"}
        assert shop.reasons("sales.orders") == [
            {"kind": "forced", "field": "request", "before": None, "after": "month end"}
        ]

    def test_a_table_that_cannot_be_read_fails_alone_and_stays_open(self, shop):
        tables = yaml.safe_load(shop.config.read_text())["profiling"]["tables"]
        shop.list_tables([*tables, {"schema": "sales", "table": "nowhere"}])
        shop.airflow.wait_for_dags({"profilemesh_profile.e2e.shop.sales.nowhere"})
        shop.sql("INSERT INTO hr.orders VALUES (3, 'new')")
        assert shop.refresh() == {"sales.nowhere": "failed", "hr.orders": "success"}
        ((state, attempts, error),) = shop.stored(
            "SELECT state, attempts, last_error FROM profilemesh_changes WHERE table_key = 'sales.nowhere'"
        )
        assert (state, attempts) == ("open", 1)
        assert "does not exist" in error

    def test_every_table_ends_at_its_baseline(self, shop):
        open_changes = shop.stored("SELECT table_key FROM profilemesh_changes WHERE state <> 'closed'")
        assert open_changes == [("sales.nowhere",)]
