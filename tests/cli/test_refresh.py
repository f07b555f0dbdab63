"""The command that asks a running Airflow to refresh. What Airflow does, a stub does with the real ledger."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from profilemesh_airflow.cli import main
from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.ask import REFRESH_DAG
from profilemesh_airflow.usecases.plan_document import diff_document
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_changes
from profilemesh_airflow.usecases.refresh import mark_rung, record
from profilemesh_airflow.usecases.workspace import Workspace
from tests.stub_airflow import TOKEN, StubAirflow


@pytest.fixture(params=[3, 2])
def airflow(request, monkeypatch):
    for name in ("URL", "USERNAME", "PASSWORD", "TOKEN", "CONN_ID"):
        monkeypatch.delenv(f"PROFILEMESH_AIRFLOW_{name}", raising=False)
    with StubAirflow(release=request.param) as stub:
        stub.add_dag(REFRESH_DAG, is_paused=False)
        yield stub


def works(shop, profiles=True):
    """What the refresh and, at once, the profiling DAGs do."""

    def run(conf):
        with Workspace(load_config(shop.config)) as workspace:
            found = detect(
                workspace, conf["tables"], force=conf["force"], reason=conf["reason"], by=conf["requested_by"]
            )
            if conf["dry_run"]:
                return "success", {}, {"return_value": [], "plan_diff": diff_document(found.diff)}
            entries = record(workspace, found)
            mark_rung(workspace, entries)
            if profiles:
                list(profile_tables(workspace, select_changes(workspace, ()), Worker("worker")))
        return "success", {}, {"return_value": [[entry.change_id for entry in entries]]}

    return run


def login(airflow):
    return ("--airflow", airflow.url, "--username", "admin", "--password", "right")


def test_it_starts_the_refresh_with_all_that_was_said_and_returns(shop, airflow):
    result = shop.run("refresh", "orders", "--force", "--reason", "month end", *login(airflow))

    assert result.exit_code == 0, result.output
    assert result.stdout == f"asked: run manual__1 of {REFRESH_DAG} at {airflow.url}\n"
    (body,) = airflow.started
    assert body["conf"] == {
        "tables": ["orders"],
        "force": True,
        "reason": "month end",
        "dry_run": False,
        "requested_by": "admin",
    }


def test_it_waits_for_every_table_and_shows_how_far_it_is(shop, airflow):
    airflow.on_trigger = works(shop)
    result = shop.run("refresh", "--wait", *login(airflow))

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == ["3 profiled"]
    assert result.stderr.splitlines() == [
        f"[{n}/3] {t}: profiled" for n, t in enumerate(("items", "orders", "users"), 1)
    ]
    with Workspace(load_config(shop.config)) as workspace:
        (change,) = workspace.ledger.history("orders", 1)
    assert [str(reason) for reason in change.reasons] == ["added", "requested: by admin"]

    again = shop.answer("refresh", "--wait", *login(airflow))
    assert again["tables"] == []
    forced = shop.answer("refresh", "users", "--force", "--wait", *login(airflow))
    assert [(table["table_key"], table["state"], table["why"]) for table in forced["tables"]] == [
        ("users", "profiled", None)
    ]


def test_a_table_that_fails_gives_exit_code_1_and_says_why(shop, airflow):
    shop.configure("orders", "ghost")
    airflow.on_trigger = works(shop)
    result = shop.run("refresh", "--wait", *login(airflow))

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 profiled, 1 failed"
    assert "ghost: failed: TableMissingError: table ghost was not found" in result.stderr


def test_a_failed_refresh_names_the_task(shop, airflow):
    airflow.on_trigger = lambda _: ("failed", {"detect_and_record": "failed", "ring": "upstream_failed"}, {})
    result = shop.run("refresh", "--wait", *login(airflow))

    assert result.exit_code == 1
    assert f"run manual__1 of {REFRESH_DAG} at {airflow.url}, task detect_and_record, ring; the log" in result.stderr


def test_when_the_time_is_over_it_says_what_is_not_done(shop, airflow):
    airflow.on_trigger = works(shop, profiles=False)
    result = shop.run("refresh", "--wait", "--timeout", "1s", *login(airflow))

    assert result.exit_code == 1
    assert "error: the time is over, and 3 table(s) are not done: items, orders, users; they stay" in result.stderr


def test_a_dry_run_shows_the_difference(shop, airflow):
    airflow.on_trigger = works(shop)
    result = shop.run("refresh", "--dry-run", "--wait", *login(airflow))

    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.stdout.splitlines()[2:5]] == [
        ["orders", "added;"],
        ["users", "added;"],
        ["items", "added;"],
    ]
    assert result.stdout.splitlines()[-1] == "3 changed"
    assert not shop.store.exists()


def test_another_store_than_the_workers_is_said(shop, airflow):
    airflow.on_trigger = lambda _: ("success", {}, {"return_value": [["0" * 32]]})
    result = shop.run("refresh", "--wait", *login(airflow))

    assert result.exit_code == 1
    assert "does not have the changes that the refresh recorded" in result.stderr


@pytest.mark.parametrize(
    ("change", "exit_code", "message"),
    [
        ({"tables": ["ordrs"]}, 2, "table 'ordrs' is not in the plan; did you mean orders?"),
        ({"password": "mistaken"}, 1, "401"),
        ({"dag_id": "else"}, 1, "has no DAG 'else' (or does not show it to this user); name the refresh DAG with"),
        (
            {"paused": True},
            1,
            f"wait for ever; run `airflow dags unpause {REFRESH_DAG}`",
        ),
        ({"url": "http://127.0.0.1:1"}, 1, "is the api-server running there?"),
        ({"url": ""}, 2, "Which Airflow? give --airflow with its address, or --connection"),
        ({"username": ""}, 2, "Airflow wants a login"),
    ],
)
def test_what_goes_wrong_is_one_clear_message(shop, airflow, change, exit_code, message):
    airflow.dags[0]["is_paused"] = change.get("paused", False)
    given = {"url": airflow.url, "username": "admin", "password": "right", **change}
    result = shop.run(
        "refresh",
        *change.get("tables", ()),
        *("--airflow", given["url"], "--username", given["username"], "--password", given["password"]),
        *("--dag-id", change.get("dag_id", REFRESH_DAG)),
    )

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "mistaken" not in result.output


def test_a_password_is_read_from_the_standard_input(shop, airflow):
    options = ("--airflow", airflow.url, "--username", "admin", "--password", "-")
    result = CliRunner().invoke(main, ["refresh", *options], input="right\n")
    assert result.exit_code == 0, result.output


def test_address_and_login_may_come_from_a_connection(shop, airflow, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_ASKED",
        f'{{"conn_type": "profilemesh", "host": "{airflow.url}", "extra": {{"token": "{TOKEN}"}}}}',
    )
    result = shop.run("refresh", "--connection", "asked")
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    assert "has no connection 'nowhere'" in shop.run("refresh", "--connection", "nowhere").stderr
