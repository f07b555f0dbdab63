"""Each answer of ``explain``, provoked on a real store."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from profilemesh_airflow.config import load_config
from profilemesh_airflow.core.explain import STATES
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_change
from profilemesh_airflow.usecases.refresh import mark_rung, record
from profilemesh_airflow.usecases.workspace import Workspace
from tests.clock import change_clock
from tests.stub_airflow import TOKEN, StubAirflow


@pytest.fixture
def airflow(monkeypatch):
    monkeypatch.delenv("PROFILEMESH_AIRFLOW_URL", raising=False)
    with StubAirflow() as stub:
        yield stub


def opened(shop):
    return Workspace(load_config(shop.config))


def refresh(shop, *, ring=True, **looking):
    """A whole refresh, as the DAG does it."""
    with opened(shop) as workspace:
        rung = record(workspace, detect(workspace, **looking), workspace.policy.budget)
        if ring:
            mark_rung(workspace, rung)


def work(shop, table, worker=None):
    """What a task does that hears a doorbell."""
    with opened(shop) as workspace:
        (ref,) = (ref for ref in workspace.refs if ref.table == table)
        return profile_change(workspace, ref, worker or Worker("worker"))


def claim(shop, table):
    with opened(shop) as workspace:
        return workspace.ledger.claim(table, "worker on host")


def change(shop):
    shop.sql("INSERT INTO orders VALUES (9, 1, 'x')")


def unrecorded(shop):
    shop.run("profile", "orders")
    change(shop)


def open_(shop):
    refresh(shop, ring=False)


def rung(shop):
    refresh(shop)


def deferred(shop):
    shop.configure({"table": "orders", "priority": -5}, "users", "items", airflow={"budget": {"tables": 1}})
    refresh(shop)


def postponed(shop):
    refresh(shop)
    with opened(shop) as workspace:
        workspace.ledger.postpone(workspace.ledger.claim("orders", "worker on host"), "it may cost too much")


def claimed(shop):
    refresh(shop)
    claim(shop, "orders")


def failed(shop):
    refresh(shop)
    shop.sql("ALTER TABLE orders RENAME TO away")
    work(shop, "orders")
    shop.sql("ALTER TABLE away RENAME TO orders")


def parked(shop):
    shop.configure("orders", airflow={"max_attempts": 1})
    failed(shop)


def returned(shop):
    unrecorded(shop)
    refresh(shop)
    shop.sql("DELETE FROM orders WHERE id = 9")


def left_plan(shop):
    shop.run("profile")
    shop.configure("users")


def unknown_version(shop):
    shop.sql("ALTER TABLE orders RENAME TO base", "CREATE VIEW orders AS SELECT * FROM base")
    shop.run("profile", "orders")


def unchanged(shop):
    shop.run("profile")


@pytest.mark.parametrize(
    ("provoke", "state", "why", "then"),
    [
        (unrecorded, "unrecorded", "it changed, and no refresh has seen that yet", "the next refresh records it"),
        (open_, "open", "it changed, and was not rung for yet", "the next refresh rings for it"),
        (rung, "rung", "rung once, and nobody has taken it yet", "a refresh rings again from 20"),
        (deferred, "deferred", "no budget left for it (1 in a row): place 2 of 2 in the queue", "the first ones"),
        (postponed, "postponed", "its worker put it off: it may cost too much", "a refresh rings again from 20"),
        (claimed, "claimed", "claimed by worker on host until 20", "it is profiled at this moment"),
        (failed, "failed", "TableMissingError: table orders was not found", "mend the cause; a refresh rings again"),
        (parked, "parked", "failed once, the last time at 20", "`profilemesh-airflow replay orders`"),
        (returned, "returned", "as it was last profiled again", "the next refresh withdraws the change"),
        (left_plan, "left-plan", "the configuration no longer means this table", "the next refresh retires it"),
        (unknown_version, "unknown-version", "the database does not tell whether its rows", "profiled again from 20"),
        (unchanged, "unchanged", "neither settings nor schema nor data changed since it was profiled", "nothing"),
    ],
)
def test_it_says_where_a_table_stands_and_why(shop, provoke, state, why, then):
    provoke(shop)
    before = shop.files()

    document = shop.answer("explain", "orders")
    text = shop.run("explain", "orders").stdout.splitlines()

    assert document["state"] == state
    assert why in document["why"]
    assert then in document["then"]
    assert text[:3] == [f"orders: {state}", f"  {document['why']}", f"  next: {document['then']}"]
    assert shop.files() == before


def test_a_lease_that_ran_out_is_told_from_one_that_did_not(shop, monkeypatch):
    claimed(shop)
    change_clock(monkeypatch, lambda now: now + timedelta(hours=2))

    answer = shop.answer("explain", "orders")

    assert answer["state"] == "lease-expired"
    assert "claimed by worker on host, whose lease ran out at 20" in answer["why"]
    assert datetime.fromisoformat(answer["until"]) < datetime.fromisoformat(answer["at"])


@pytest.mark.parametrize(
    ("consumers", "state", "why"),
    [
        ({"theirs": True}, "consumer-paused", "a change waits, and theirs is paused"),
        ({"theirs": None}, "no-consumer", "a change waits, and its DAG theirs is gone"),
        ({}, "no-consumer", "a change waits, and no DAG is scheduled on its doorbell"),
        ({"theirs": True, "another": False}, "rung", "rung once, and nobody has taken it yet"),
    ],
)
def test_with_an_airflow_it_says_whether_anybody_hears_the_doorbell(shop, airflow, consumers, state, why):
    refresh(shop)
    airflow.add_asset("profilemesh://test/shop/change/orders", scheduled=tuple(consumers))
    airflow.add_asset("profilemesh://test/shop/change/orders_2", scheduled=("another tables",))
    for dag_id, paused in {**consumers, "another tables": True}.items():
        airflow.add_dag(dag_id, is_paused=bool(paused), is_stale=paused is None)

    answer = shop.answer("explain", "orders", "--airflow", airflow.url, "--token", TOKEN)

    assert (answer["state"], answer["why"], answer["consumers"]) == (state, why, consumers)


def test_every_answer_was_provoked():
    tests = (test_it_says_where_a_table_stands_and_why, test_with_an_airflow_it_says_whether_anybody_hears_the_doorbell)
    cases = [case for test in tests for case in test.pytestmark[0].args[1]]
    apart = {"lease-expired", "unlooked"}

    assert {case[1] for case in cases} | apart == set(STATES)


def test_an_airflow_that_does_not_answer_leaves_that_part_open(shop, airflow):
    refresh(shop)
    airflow.canned["/api/v2/assets"] = (403, {}, b'{"detail": "Forbidden"}')

    answer = shop.answer("explain", "orders", "--airflow", airflow.url, "--token", "hunter2")

    assert (answer["state"], answer["consumers"]) == ("rung", None)
    (note,) = answer["notes"]
    assert note.startswith("whether its DAG is there and not paused is unknown: GET http://127.0.0.1")
    assert "hunter2" not in note


@pytest.mark.parametrize("option", ["--offline", None])
def test_without_the_database_it_answers_by_the_ledger(shop, option):
    unchanged(shop)
    shop.source.unlink()

    answer = shop.answer("explain", "orders", *filter(None, [option]))

    assert (answer["state"], answer["then"]) == ("unlooked", "the next refresh looks at it")
    assert "no change was recorded since; the database was not asked" in answer["why"]
    assert [note.partition(":")[0] for note in answer["notes"]] == (
        [] if option else ["the database cannot be asked, so that this is by the ledger alone"]
    )


def test_the_history_says_what_differed_when_it_was_seen_who_took_it_and_what_was_read(shop):
    refresh(shop)
    work(shop, "orders", Worker("task", "profile.orders", "asset_triggered__1"))
    change(shop)
    shop.sql("ALTER TABLE orders ADD COLUMN extra TEXT")
    refresh(shop)

    newest, oldest = shop.answer("explain", "orders")["history"]

    assert (newest["state"], newest["outcome"], newest["runs"], newest["rings"]) == ("open", None, [], 1)
    assert [(why["kind"], why["field"], why["before"], why["after"]) for why in newest["reasons"]] == [
        ("schema", "extra", None, "TEXT"),
        ("data", "version", "rows=3 max_rowid=3", "rows=4 max_rowid=9"),
    ]
    assert (oldest["state"], oldest["outcome"], oldest["rings"]) == ("closed", "profiled", 1)
    moments = [oldest[name] for name in ("detected_at", "rung_at", "claimed_at", "closed_at")]
    assert moments == sorted(moments)
    (run,) = oldest["runs"]
    assert (run["status"], run["dag_id"], run["dag_run_id"]) == ("completed", "profile.orders", "asset_triggered__1")
    assert (run["rung"], run["rung_reason"]) == ("full", "incremental profiling is off")
    lines = shop.run("explain", "orders").stdout
    assert "by DAG run asset_triggered__1 of profile.orders" in lines
    assert "what was read: full, as incremental profiling is off" in lines


def test_a_failed_run_is_in_the_history_with_its_error(shop):
    parked(shop)

    (story,) = shop.answer("explain", "orders")["history"]

    (run,) = story["runs"]
    assert (run["status"], run["error_type"]) == ("failed", "TableMissingError")
    assert "TableMissingError: table orders was not found" in shop.run("explain", "orders").stdout


def test_a_table_that_changes_further_before_the_next_refresh_says_so(shop):
    unrecorded(shop)
    refresh(shop)
    shop.sql("INSERT INTO orders VALUES (10, 1, 'x')")

    answer = shop.answer("explain", "orders")

    assert answer["notes"] == [
        "it has changed further since its change was recorded; the next refresh takes note of that"
    ]
    assert [why["after"] for why in answer["reasons"]] == ["rows=5 max_rowid=10"]


def test_a_table_that_was_retired_still_has_its_history(shop):
    left_plan(shop)
    refresh(shop)

    answer = shop.answer("explain", "orders")

    assert answer["state"] == "left-plan"
    assert [story["outcome"] for story in answer["history"]] == ["retired", "profiled"]
    assert len(shop.answer("explain", "orders", "--limit", "1")["history"]) == 1


def test_a_table_that_a_pattern_found_and_that_was_dropped_has_left_the_plan(shop):
    shop.configure({"schema": "main", "table": "*"})
    shop.run("profile")
    shop.sql("DROP TABLE orders")

    answer = shop.answer("explain", "orders")

    assert answer["state"] == "left-plan"
    assert answer["notes"] == ["no table that a pattern finds is called so any more"]


def test_a_table_that_a_pattern_finds_for_the_first_time_is_explained(shop):
    shop.configure({"schema": "main", "table": "*"})

    assert shop.answer("explain", "main.users")["state"] == "unrecorded"


def test_an_unknown_table_is_bad_usage_and_the_nearest_names_are_offered(shop):
    result = shop.run("explain", "oders")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: table 'oders' is not in the plan; did you mean orders, users?\n"


def test_as_markdown_no_name_of_a_table_or_text_in_it_is_markup(shop):
    shop.sql('CREATE TABLE "a|b`<i>@all" (id INTEGER PRIMARY KEY)')
    shop.configure("a|b`<i>@all")
    refresh(shop, force=True, reason="*look* at @all | <b>")

    page = shop.run("explain", "a|b`<i>@all", "--format", "markdown").stdout

    assert page.splitlines()[0] == "### `a%7Cb%60%3Ci%3E%40all`: rung"
    assert "| forced | `request` | `none` | `*look* at @all \\| <b>` |" in page
    assert "| why | field | before | after |" in page
