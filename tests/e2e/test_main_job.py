"""The main job on a whole Airflow, with PostgreSQL as metadata database, source and store."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from demo.standalone import USERNAME
from profilemesh_airflow.airflow_api import AirflowApi
from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.doctor import examine
from profilemesh_airflow.usecases.explain import explain_table
from profilemesh_airflow.usecases.workspace import Workspace
from tests.e2e.faults import pause
from tests.e2e.shop import REFRESH, open_shop

pytestmark = [pytest.mark.e2e, pytest.mark.minutes]

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
#: As in the examples, and with a connection to Airflow itself, which the notes of runs take.
TABLE_DAGS = """
import os
from profilemesh_airflow import build_profiling_dags

with_airflow = {"profilemesh_conn_id": "profilemesh_default"}
globals().update(build_profiling_dags(os.environ["PROFILEMESH_CONFIG"], default_args=with_airflow))
"""
# A DAG whose table was removed is soon taken for stale.
ENV = {
    "AIRFLOW__API__EXPOSE_CONFIG": "True",
    "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "5",
}
ODD_KEY = "sales.odd%20%22name%22%2E%25%3A"


@pytest.fixture(scope="module")
def shop(tmp_path_factory, postgres_url):
    home, dags = tmp_path_factory.mktemp("airflow"), {"profilemesh_tables.py": TABLE_DAGS}
    with open_shop(home, postgres_url, setup=SETUP, tables=TABLES, dags=dags, env=ENV) as opened:
        opened.configure(hooks={"enabled": True, "hooks": [{"type": "sql"}]})
        login = {"host": opened.airflow.url, "login": USERNAME, "password": opened.airflow.password}
        connection = {"connection_id": "profilemesh_default", "conn_type": "profilemesh", **login}
        opened.api.call("POST", "/api/v2/connections", json=connection)
        yield opened


def told(shop, key=None):
    """The events of one table, or of the plan: each its type and the task that told of it, oldest first."""
    of = "IS NULL" if key is None else f"= '{key}'"
    rows = shop.stored(
        "SELECT payload FROM profilemesh_events"
        f" WHERE table_key {of} AND event_type <> 'configuration_refreshed' ORDER BY event_id"
    )
    return [(event["event_type"], event["task_id"]) for event in (json.loads(payload) for (payload,) in rows)]


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

    def test_it_is_told_to_the_event_log_to_xcom_and_as_a_note_on_the_run(self, shop):
        assert told(shop) == [("plan_refreshed", "detect_and_record")]
        profiled = ["profiling_started", "profiling_completed"]
        assert told(shop, "sales.orders") == [
            ("change_detected", "detect_and_record"),
            *((event, "profile") for event in profiled),
        ]
        run = shop.last_run("sales.orders")
        in_xcom = shop.api.xcom(run["dag_id"], run["dag_run_id"], "profile", "profilemesh_events")
        assert [(event["event_type"], event["dag_run_id"]) for event in in_xcom] == [
            (event, run["dag_run_id"]) for event in profiled
        ]
        why = "added; requested: by admin"
        assert run["note"].startswith(f"sales.orders was profiled because of {why}. Rows: 100; columns: 3; run ")

    def test_an_unchanged_refresh_rings_nobody_and_tells_of_no_table(self, shop):
        before = told(shop, "sales.orders")
        assert shop.refresh() == {}
        assert told(shop) == [("plan_refreshed", "detect_and_record")] * 2
        assert told(shop, "sales.orders") == before

    def test_new_rows_run_just_their_table_and_its_drift(self, shop):
        shop.sql("INSERT INTO sales.orders SELECT i, i * 1.5, now() FROM generate_series(101, 200) i")
        assert shop.refresh() == {"sales.orders": "success"}
        reason, asked = shop.reasons("sales.orders")
        assert asked == {"kind": "requested", "field": "request", "before": None, "after": "by admin"}
        assert (reason["kind"], reason["field"]) == ("data", "version")
        assert "inserted=100" in reason["before"]
        assert "inserted=200" in reason["after"]
        assert shop.tasks("sales.orders") == {"profile": "success", "drift": "success"}
        drift = shop.api.call("GET", "/api/v2/assets/events", params={"source_task_id": "drift"})["asset_events"]
        assert [event["extra"]["table_key"] for event in drift] == ["sales.orders"]
        assert told(shop, "sales.orders")[-1] == ("drift_detected", "drift")

    def test_a_new_column_runs_just_its_table(self, shop):
        shop.sql("ALTER TABLE hr.orders ADD COLUMN note text")
        assert shop.refresh() == {"hr.orders": "success"}
        assert {"kind": "schema", "field": "note", "before": None, "after": "text"} in shop.reasons("hr.orders")
        assert ("schema_changed", "detect_and_record") in told(shop, "hr.orders")

    def test_other_settings_of_one_table_run_just_that_table(self, shop):
        changed = [{**table, "metrics": ["count"]} if table["table"] == "customers" else table for table in TABLES]
        shop.list_tables(changed)
        assert shop.refresh() == {"sales.customers": "success"}
        assert {reason["kind"] for reason in shop.reasons("sales.customers")} == {"settings", "requested"}

    def test_an_added_table_runs_alone_once_its_dag_is_there(self, shop):
        shop.sql("CREATE TABLE sales.items AS SELECT 1 AS id")
        tables = yaml.safe_load(shop.config.read_text())["profiling"]["tables"]
        shop.list_tables([*tables, {"schema": "sales", "table": "items"}])
        shop.airflow.wait_for_dags({"profilemesh_profile.e2e.shop.sales.items"})
        assert shop.refresh() == {"sales.items": "success"}
        assert [reason["kind"] for reason in shop.reasons("sales.items")] == ["added", "requested"]

    def test_a_removed_table_runs_nothing_and_leaves_its_history(self, shop):
        tables = yaml.safe_load(shop.config.read_text())["profiling"]["tables"]
        shop.list_tables([table for table in tables if table["table"] != "items"])
        assert shop.refresh() == {}
        assert shop.stored("SELECT 1 FROM profilemesh_table_state WHERE table_key = 'sales.items'") == []
        assert shop.stored("SELECT row_count FROM profilemesh_runs WHERE table_key = 'sales.items'") == [(1,)]
        assert told(shop, "sales.items")[-1] == ("table_removed", "detect_and_record")

    def test_a_forced_table_runs_alone_with_the_reason_given(self, shop):
        assert shop.refresh(tables=["sales.orders"], force=True, reason="month end") == {"sales.orders": "success"}
        assert shop.reasons("sales.orders") == [
            {"kind": "forced", "field": "request", "before": None, "after": "month end, by admin"}
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
        assert told(shop, "sales.nowhere")[-1] == ("profiling_failed", "profile")

    def test_every_table_ends_at_its_baseline(self, shop):
        open_changes = shop.stored("SELECT table_key FROM profilemesh_changes WHERE state <> 'closed'")
        assert open_changes == [("sales.nowhere",)]

    def test_the_doctor_finds_nothing_until_a_consumer_is_paused_while_a_change_waits(self, shop):
        missing = ("warehouse", "warning", "sales.nowhere")
        # The DAG of the table that was removed is not there for long.
        deadline = time.monotonic() + 240
        while consulted(shop) != [missing] and time.monotonic() < deadline:
            time.sleep(2)
        assert consulted(shop) == [missing]
        pause(shop, "hr.orders", paused=True)
        shop.sql("INSERT INTO hr.orders VALUES (4, 'unheard')")
        assert shop.refresh() == {}
        assert consulted(shop) == [missing, ("consumers", "error", "hr.orders")]

    def test_a_table_is_explained_with_the_dag_runs_that_profiled_it_and_with_the_paused_dag(self, shop):
        dag_id = shop.table_dags()["hr.orders"]
        api = AirflowApi(shop.airflow.url, USERNAME, shop.airflow.password)
        with Workspace(load_config(shop.config)) as workspace, api:
            explanation = explain_table(workspace, "hr.orders", api=api)

        assert (explanation.answer.state, explanation.facts.hearers) == ("consumer-paused", {dag_id: True})
        newest, *older = explanation.history
        assert (newest.change.state, newest.change.rings, newest.runs) == ("open", 1, ())
        assert older
        profiled = {run["dag_run_id"] for run in shop.api.runs(dag_id)}
        for story in older:
            assert [run.dag_id for run in story.runs] == [dag_id]
            assert {run.dag_run_id for run in story.runs} <= profiled
            assert story.change.detected_at <= story.change.rung_at <= story.change.claimed_at


def consulted(shop):
    """What the doctor finds: check, severity and where."""
    api = AirflowApi(shop.airflow.url, USERNAME, shop.airflow.password)
    with Workspace(load_config(shop.config)) as workspace, api:
        diagnosis = examine(workspace, api)
    assert diagnosis.not_checked == {}
    return [(finding.check, finding.severity, finding.where) for finding in diagnosis.findings]
