"""The main job, step by step: what is found, what is rung for, what is profiled, and why."""

from __future__ import annotations

import logging

import pytest

from profilemesh_airflow.core.plan import METRICS
from profilemesh_airflow.usecases.outcome import Failed, Profiled, Skipped
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_change, profile_tables
from profilemesh_airflow.usecases.refresh import record, waiting

TABLES = ["orders", "users", "items"]


def reasons(outcome):
    return [(reason.kind, reason.field) for reason in outcome.reasons]


@pytest.fixture
def profiled(shop):
    """The shop, every table profiled once."""
    outcomes = shop.profile(changed_only=True)
    assert [type(outcome) for outcome in outcomes.values()] == [Profiled] * 3
    return shop


def test_at_first_every_table_is_added_rung_for_and_profiled(shop):
    assert shop.detect() == {table: ["added"] for table in TABLES}
    assert shop.refresh() == sorted(TABLES)

    outcomes = shop.profile(changed_only=True)

    assert [reasons(outcome) for outcome in outcomes.values()] == [[("added", "table")]] * 3
    assert [outcome.profile.row_count for outcome in outcomes.values()] == [3, 2, 1]


def test_a_second_refresh_of_an_unchanged_shop_rings_nobody_and_profiles_nothing(profiled):
    assert profiled.detect() == {}
    assert profiled.refresh() == []

    outcomes = profiled.profile(changed_only=True)

    assert [type(outcome) for outcome in outcomes.values()] == [Skipped] * 3
    assert all(outcome.why.startswith("unchanged since it was profiled at ") for outcome in outcomes.values())


def change_settings(project):
    project.configure("orders", {"table": "users", "metrics": ["count", "histogram"]}, "items")


def change_schema(project):
    project.sql("ALTER TABLE users ADD COLUMN email TEXT")


def change_data(project):
    project.sql("INSERT INTO users VALUES (3, 'Edsger')")


def add_table(project):
    project.sql("CREATE TABLE news (id INTEGER)")
    project.configure("orders", "users", "items", "news")


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (change_settings, "users", [("settings", "metrics")]),
        (change_schema, "users", [("schema", "email")]),
        (change_data, "users", [("data", "version")]),
        (add_table, "news", [("added", "table")]),
    ],
)
def test_one_change_profiles_that_table_alone_and_says_why(profiled, change, key, expected):
    change(profiled)

    assert profiled.refresh() == [key]
    outcomes = profiled.profile(changed_only=True)

    assert reasons(outcomes.pop(key)) == expected
    assert {type(outcome) for outcome in outcomes.values()} == {Skipped}
    assert profiled.refresh() == []


def test_a_table_that_leaves_the_plan_is_removed_once_and_added_when_it_comes_back(profiled):
    profiled.configure("orders", "items")
    with profiled.open() as workspace:
        detection = detect(workspace)
        assert [ref.key for ref in detection.diff.removed] == ["users"]
        assert record(workspace, detection) == []
    with profiled.open() as workspace:
        assert detect(workspace).diff.removed == ()

    profiled.configure("orders", "users", "items")

    assert profiled.detect() == {"users": ["added"]}
    assert reasons(profiled.profile(changed_only=True)["users"]) == [("added", "table")]


def test_a_table_that_leaves_the_plan_before_it_was_ever_profiled_is_rung_for_no_more(shop):
    shop.refresh()
    shop.configure("orders", "users")

    assert shop.refresh() == ["orders", "users"]
    with shop.open() as workspace:
        assert set(workspace.ledger.open_entries()) == {"orders", "users"}


def test_a_forced_table_is_profiled_however_unchanged_and_the_others_are_not(profiled):
    assert profiled.refresh(["users"], force=True, reason="audit") == ["users"]

    outcomes = profiled.profile(changed_only=True)

    assert [str(reason) for reason in outcomes["users"].reasons] == ["forced: audit"]
    assert isinstance(outcomes["orders"], Skipped)
    assert profiled.refresh() == []


def test_profiling_by_name_forces_these_tables_and_leaves_the_others_in_the_ledger(shop):
    outcomes = shop.profile("users")

    assert list(outcomes) == ["users"]
    assert reasons(outcomes["users"]) == [("added", "table"), ("forced", "request")]
    assert set(shop.detect()) == {"orders", "items"}


def test_a_change_that_is_undone_before_it_was_profiled_is_withdrawn_and_the_next_one_runs(profiled):
    profiled.sql("INSERT INTO users VALUES (3, 'Edsger')")
    assert profiled.refresh() == ["users"]
    profiled.sql("DELETE FROM users WHERE id = 3")
    assert profiled.refresh() == []
    assert isinstance(profiled.profile(changed_only=True)["users"], Skipped)

    profiled.sql("INSERT INTO users VALUES (3, 'Barbara')")
    assert profiled.refresh() == ["users"]
    assert profiled.profile(changed_only=True)["users"].profile.row_count == 3

    profiled.sql("DELETE FROM users WHERE id = 3")
    assert profiled.refresh() == ["users"]
    assert profiled.profile(changed_only=True)["users"].profile.row_count == 2
    assert profiled.refresh() == []


def test_a_doorbell_rings_for_waiting_changes_only(shop):
    with shop.open() as workspace:
        due = record(workspace, detect(workspace))
        profile_change(workspace, due[0].ref, Worker("test"))
        rung = waiting(workspace, [entry.change_id for entry in due])
        workspace.ledger.mark_rung([entry.change_id for entry in rung])

    assert {entry.key for entry in rung} == {*TABLES} - {due[0].key}
    assert shop.refresh() == []
    assert set(shop.detect()) == {*TABLES} - {due[0].key}


def test_a_table_whose_data_version_is_unknown_is_stale_after_a_while(shop, travel):
    shop.sql("CREATE VIEW orders_view AS SELECT * FROM orders")
    shop.configure("orders_view", airflow={"profile_after": "1h"})
    shop.profile(changed_only=True)

    assert shop.refresh() == []
    travel(hours=1)
    assert shop.refresh() == ["orders_view"]
    assert reasons(shop.profile(changed_only=True)["orders_view"]) == [("stale", "version")]


def test_looking_writes_nothing(shop, profiled):
    before = profiled.digest()
    profiled.sql("INSERT INTO users VALUES (3, 'Edsger')")

    assert profiled.detect() == profiled.detect() == {"users": ["data"]}
    assert profiled.digest() == before


def test_looking_does_not_even_make_a_store(shop):
    shop.detect()

    assert shop.digest() == {}


def test_a_missing_table_fails_alone_is_tried_again_and_parked_and_runs_when_it_appears(shop):
    shop.configure("orders", "ghost", "users", airflow={"max_attempts": 2})

    outcomes = shop.profile(changed_only=True)
    assert [type(outcome) for outcome in outcomes.values()] == [Profiled, Failed, Profiled]
    assert outcomes["ghost"].error.startswith(f"table ghost was not found in sqlite file {shop.source}")
    assert shop.detect() == {"ghost": ["added"]}

    assert isinstance(shop.profile(changed_only=True)["ghost"], Failed)
    parked = shop.profile(changed_only=True)["ghost"]
    assert parked.why.startswith("parked, since it failed too often (2); the last error: table ghost was not found")
    assert shop.refresh() == []
    assert isinstance(shop.profile()["ghost"], Skipped)
    assert isinstance(shop.profile("ghost", force=True)["ghost"], Failed)

    shop.sql("CREATE TABLE ghost (id INTEGER)")
    assert shop.refresh() == ["ghost"]
    assert isinstance(shop.profile(changed_only=True)["ghost"], Profiled)
    assert shop.refresh() == []


def test_profiling_what_waits_already_does_not_forget_how_often_it_failed(shop):
    shop.configure("ghost", airflow={"max_attempts": 2})

    assert isinstance(shop.profile()["ghost"], Failed)
    assert isinstance(shop.profile()["ghost"], Failed)
    assert isinstance(shop.profile()["ghost"], Skipped)


def test_a_table_that_is_dropped_fails_and_says_so(profiled):
    profiled.sql("DROP TABLE users")

    assert profiled.detect() == {"users": ["schema"]}
    assert isinstance(profiled.profile(changed_only=True)["users"], Failed)
    with profiled.open() as workspace:
        assert [str(reason) for reason in workspace.ledger.open_entries()["users"].reasons] == [
            "schema: table present -> missing"
        ]


@pytest.mark.parametrize(("policy", "outcome"), [("pass", Profiled), ("warn", Profiled), ("fail", Failed)])
def test_the_policy_says_what_an_empty_table_is(shop, caplog, policy, outcome):
    shop.sql("DELETE FROM users")
    shop.configure("users", "items", airflow={"on_empty": policy})

    with caplog.at_level(logging.WARNING, "profilemesh_airflow"):
        outcomes = shop.profile()

    assert type(outcomes["users"]) is outcome
    assert isinstance(outcomes["items"], Profiled)
    assert ("table users is empty" in caplog.text) == (policy != "pass")


def test_rows_that_arrive_while_a_table_is_profiled_are_the_next_change(shop, monkeypatch):
    with shop.open() as workspace:
        really = workspace.warehouse.profile

        def slowly(info, settings, *more):
            profile = really(info, settings, *more)
            shop.sql("INSERT INTO users VALUES (3, 'Edsger')")
            return profile

        monkeypatch.setattr(workspace.warehouse, "profile", slowly)
        record(workspace, detect(workspace, ["users"]))
        (outcome,) = profile_tables(workspace, [ref for ref in workspace.refs if ref.key == "users"], Worker("test"))

    assert outcome.profile.row_count == 2
    assert shop.detect(["users"]) == {"users": ["data"]}


def test_an_interrupt_gives_the_change_back_at_once(shop, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with shop.open() as workspace:
        record(workspace, detect(workspace))
        monkeypatch.setattr(workspace.warehouse, "profile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            profile_change(workspace, workspace.refs[0], Worker("test"))
        entry = workspace.ledger.open_entries()["orders"]

    assert (entry.state, entry.attempts, entry.last_error) == ("open", 1, "interrupted while it was profiled")
    assert isinstance(shop.profile(changed_only=True)["orders"], Profiled)


def test_two_workers_do_not_profile_the_same_table(shop):
    with shop.open() as first, shop.open() as second:
        record(first, detect(first))
        claim = first.ledger.claim("orders", "the other one")
        outcome = profile_change(second, second.refs[0], Worker("test"))

    assert claim is not None
    assert isinstance(outcome, Skipped)
    assert outcome.why.startswith("the other one is at it until ")


def test_progress_is_told_before_and_after_every_table(shop):
    told = []
    with shop.open() as workspace:
        record(workspace, detect(workspace, ["orders"]))
        outcomes = profile_tables(workspace, workspace.refs[:2], Worker("test"), told.append)

    assert told == [workspace.refs[0], outcomes[0], workspace.refs[1], outcomes[1]]
    assert [type(outcome) for outcome in outcomes] == [Profiled, Skipped]
    assert outcomes[1].why == "no open change; the next refresh looks at it"


def test_an_outcome_is_small_json(shop):
    outcome = shop.profile("orders")["orders"].as_dict()

    assert outcome.keys() == {
        "table_key",
        "run_id",
        "row_count",
        "rows_of",
        "rung",
        "columns",
        "seconds",
        "queries",
    }
    assert (outcome["table_key"], outcome["row_count"], outcome["columns"]) == ("orders", 3, 3)
    assert outcome["queries"] > 0


def test_the_metrics_of_a_table_are_those_that_were_asked_for(shop):
    shop.configure({"table": "orders", "metrics": ["count", "max"]}, "users")
    profiles = {key: outcome.profile for key, outcome in shop.profile().items()}

    assert {name for column in profiles["orders"].columns for name in column.metrics} == {"count", "max"}
    assert {name for column in profiles["users"].columns for name in column.metrics} == set(METRICS)
