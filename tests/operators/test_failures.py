"""What a failed table, a failed job and an ended task leave behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Timer
from time import monotonic

import pytest

from profilemesh_airflow import ProfileMeshProfilingOperator, ProfileMeshTableOperator
from profilemesh_airflow.exceptions import (
    ConfigError,
    ProfileError,
    StoreError,
    StoreUnavailableError,
    WarehouseError,
)
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.store import Ledger
from profilemesh_airflow.warehouse import Warehouse
from tests.operators.tasks import Context, profile_all


def test_a_task_that_fails_names_every_table_that_did_with_its_error_and_so_does_its_summary(shop):
    shop.run("DROP TABLE orders; DROP TABLE customers")
    context = Context()
    with pytest.raises(
        ProfileError, match=r"^2 of 2 tables .*: orders: table orders was not found.*; customers: table"
    ):
        profile_all(shop, context)
    summary = context.xcom["profiling_results"]
    assert (summary["tables_profiled"], summary["tables_failed"]) == (0, 2)
    assert [(failed["table_key"], failed["error_type"]) for failed in summary["failed"]] == [
        ("orders", "TableMissingError"),
        ("customers", "TableMissingError"),
    ]
    assert summary["failed"][0]["error"].startswith("table orders was not found in sqlite file")


def test_a_task_that_is_to_continue_succeeds_and_what_failed_is_logged_and_stays_open(shop, told):
    shop.run("DROP TABLE orders")
    summary = profile_all(shop, on_failure="continue")

    assert (summary["tables_profiled"], summary["tables_failed"]) == (1, 1)
    assert [failed["table_key"] for failed in summary["failed"]] == ["orders"]
    assert told()[-1].startswith("1 of 2 tables could not be profiled: orders: table orders was not")
    with ProfileMeshHook(shop.config).workspace() as workspace:
        (entry,) = workspace.ledger.open_entries().values()
    assert (entry.key, entry.attempts, entry.last_error_type) == ("orders", 1, "TableMissingError")


def test_a_summary_lists_only_so_many_failures_and_counts_them_all(shop, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.operators.summary.SUMMARISED_TABLES", 1)
    shop.run("DROP TABLE orders; DROP TABLE customers")
    summary = profile_all(shop, on_failure="continue")
    assert (summary["tables_failed"], len(summary["failed"])) == (2, 1)


@pytest.mark.parametrize("wrong", ["", "ignore", "Continue", None, True])
def test_a_wrong_on_failure_is_refused_when_the_file_is_parsed(wrong):
    with pytest.raises(ConfigError, match=r"task all: on_failure .* is not allowed; use 'fail' or 'continue'"):
        ProfileMeshProfilingOperator(task_id="all", config_path="nowhere.yml", on_failure=wrong)


@pytest.mark.parametrize("on_failure", ["fail", "continue"])
@pytest.mark.parametrize(
    ("breakage", "error"),
    [
        (lambda text: text.replace("shop.db", "nowhere.db"), WarehouseError),
        (lambda text: text + "storage: {connection: {type: sqlite, filepath: /dev/null/store.db}}\n", StoreError),
        (lambda text: text + "airflow: {max_attempts: none}\n", ConfigError),
    ],
)
def test_what_concerns_every_table_fails_the_task_whatever_the_setting(shop, on_failure, breakage, error):
    Path(shop.config).write_text(breakage(Path(shop.config).read_text()))
    with pytest.raises(error):
        profile_all(shop, on_failure=on_failure)


def test_a_store_that_goes_away_between_two_tables_fails_the_task_that_was_to_continue(shop, monkeypatch):
    Path(shop.config).write_text(Path(shop.config).read_text() + "retry: {enabled: false}\n")

    def away(*_, **__):
        raise StoreUnavailableError("the store is away")

    for method in ("commit", "fail"):
        monkeypatch.setattr(Ledger, method, away)
    with pytest.raises(StoreUnavailableError):
        profile_all(shop, on_failure="continue")


SLOW = (
    "CREATE VIEW slow AS WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 2e9) SELECT a FROM n"
)


@pytest.fixture
def terminated():
    """SIGTERM reaches the operator as Airflow has it: by a call of ``on_kill`` in the task's own thread."""
    operators = []
    before = signal.signal(signal.SIGTERM, lambda *_: operators[0].on_kill())
    yield operators
    signal.signal(signal.SIGTERM, before)


def test_a_task_that_airflow_ends_stops_its_profile_and_gives_the_change_back(shop, terminated, monkeypatch):
    shop.run(SLOW)
    Path(shop.config).write_text(Path(shop.config).read_text().replace("{table: orders}", "{table: slow}"))
    operator = ProfileMeshTableOperator(task_id="profile", config_path=shop.config, table="slow")
    terminated.append(operator)
    really = Warehouse.profile

    def profile(*arguments):
        Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return really(*arguments)

    monkeypatch.setattr(Warehouse, "profile", profile)
    started = monotonic()
    with pytest.raises(SystemExit, match="the task was told to stop"):
        operator.execute(Context())

    assert monotonic() - started < 30
    with ProfileMeshHook(shop.config).workspace() as workspace:
        entry = workspace.ledger.open_entries()["slow"]
    assert (entry.state, entry.last_error_type) == ("open", "SystemExit")


def test_a_task_that_is_not_at_work_is_ended_in_peace(shop):
    """As after a timeout of Airflow's own, which has left the work before."""
    operator = ProfileMeshTableOperator(task_id="profile", config_path=shop.config, table="orders")
    operator.on_kill()
    operator.execute(Context())
    operator.on_kill()
