"""The hooks and callbacks of the configuration: who is told of what, and what one that fails does."""

from __future__ import annotations

import importlib
import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import ConfigError, StoreUnavailableError
from profilemesh_airflow.store import EventLog
from profilemesh_airflow.usecases.events import load_callback
from profilemesh_airflow.usecases.outcome import Profiled

HERE = "my_hooks"


@pytest.fixture
def told(monkeypatch):
    """What the hooks of :mod:`my_hooks` were told."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    module = importlib.import_module(HERE)
    module.TOLD.clear()
    return module.TOLD


def hooks(shop, *entries, **more):
    shop.configure("orders", "users", "items", hooks={"hooks": list(entries), **more})


def custom(name, **more):
    return {"type": "custom", "module": HERE, "class_name": name, **more}


def rows(shop, table="profilemesh_events", file=None):
    with closing(sqlite3.connect(file or shop.store)) as connection:
        query = f"SELECT event_type, table_key, payload FROM {table} ORDER BY event_id"
        return [(kind, key, json.loads(payload)) for kind, key, payload in connection.execute(query)]


def lines(caplog, name="profilemesh_airflow.events"):
    return [record for record in caplog.records if record.name == name]


def test_without_any_hook_every_event_is_a_line_of_the_log_that_a_machine_can_read(shop, caplog):
    with caplog.at_level(logging.INFO):
        shop.profile("orders")
    record = lines(caplog)[-1]
    word, kind, document = record.getMessage().split(" ", 2)
    assert (record.levelname, word, kind) == ("INFO", "event", "profiling_completed")
    assert json.loads(document)["table_key"] == "orders"
    assert rows(shop) == []


def test_a_logging_hook_sets_level_and_types_and_nothing_is_logged_twice(shop, caplog):
    hooks(shop, {"type": "logging", "log_level": "warning", "events": ["profiling_completed"]})
    with caplog.at_level(logging.INFO):
        shop.profile("orders")
    (record,) = lines(caplog)
    assert (record.levelname, record.getMessage().split()[1]) == ("WARNING", "profiling_completed")


def test_a_sql_hook_writes_into_the_stores_own_table(shop):
    hooks(shop, {"type": "sql"})
    shop.profile("orders")
    found = rows(shop)
    assert [(kind, key) for kind, key, _ in found] == [
        ("change_detected", "orders"),
        ("profiling_started", "orders"),
        ("profiling_completed", "orders"),
    ]
    assert (found[-1][2]["row_count"], found[-1][2]["schema_version"]) == (3, 1)


@pytest.mark.parametrize("kind", ["sql", "snowflake"])
def test_a_table_of_events_elsewhere_is_made_when_it_is_needed(shop, kind):
    elsewhere = shop.folder / "events.db"
    place = {"type": "sqlite", "filepath": str(elsewhere)}
    hooks(shop, {"type": kind, "table_name": "happenings", "connection": place, "events": "profiling_completed"})
    assert not elsewhere.exists()
    shop.profile("orders")
    shop.profile("users")
    assert [key for _, key, _ in rows(shop, "happenings", elsewhere)] == ["orders", "users"]
    assert rows(shop) == []


def test_another_table_beside_the_results_may_be_named(shop):
    hooks(shop, {"type": "sql", "table_name": "our_events"})
    shop.profile("orders")
    assert len(rows(shop, "our_events")) == 3


def test_the_connection_of_a_hook_may_be_airflows(shop):
    shop.connections["events"] = ConnectionSettings("sqlite", filepath=str(shop.folder / "events.db"))
    hooks(shop, {"type": "sql", "connection": {"conn_id": "events"}})
    shop.profile("orders")
    assert len(rows(shop, file=shop.folder / "events.db")) == 3


def test_a_class_of_the_users_own_is_made_with_its_params_and_handed_every_event(shop, told):
    hooks(shop, custom("Pager", params={"address": "x"}), custom("Caller", events=["profiling_started"]))
    shop.profile("orders")
    assert told == [
        ("pager", "change_detected", None),
        ("pager", "profiling_started", None),
        ("caller", "profiling_started"),
        ("pager", "profiling_completed", 3),
    ]


def test_callbacks_are_called_before_and_after_each_profile(shop, told):
    hooks(shop, pre_profiling=f"{HERE}:begin", post_profiling=[f"{HERE}:end", f"{HERE}:Board.show"])
    shop.sql("DROP TABLE users")
    shop.profile("orders", "users")
    assert told == [
        ("begin", "profiling_started", "orders"),
        ("end", "profiling_completed", "orders"),
        ("board", "profiling_completed", "orders"),
        ("begin", "profiling_started", "users"),
        ("end", "profiling_failed", "users"),
        ("board", "profiling_failed", "users"),
    ]


@pytest.mark.parametrize("switch", ["hook", "all"])
def test_a_hook_that_is_switched_off_is_told_nothing(shop, told, switch):
    hooks(shop, custom("Pager", enabled=switch != "hook"), enabled=switch != "all", post_profiling=f"{HERE}:end")
    shop.profile("orders")
    assert told == ([] if switch == "all" else [("end", "profiling_completed", "orders")])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (custom("Pager", params={"boom": "profiling_completed"}), "ConnectionError: no answer from"),
        ({"type": "custom", "module": "no_such", "class_name": "C"}, "there is no module 'no_such'"),
        (custom("NoSuch"), "there is no class NoSuch in module my_hooks"),
        (custom("Deaf"), "takes no events; give it a method handle_event(event)"),
        (custom("Pager", params={"adress": 1}), "cannot be made with these params"),
        ({"type": "sql", "connection": {"type": "sqlite", "filepath": "/dev/null/events.db"}}, "results store (sqlite"),
        ({"type": "sql", "connection": {"type": "bigquery", "project": "p"}}, "cannot be written into a database of"),
        ({"type": "sql", "connection": {"conn_id": "nowhere"}}, "nowhere"),
    ],
)
def test_a_hook_that_fails_fails_no_profile_and_is_seen_in_the_log_and_in_the_store(shop, told, caplog, entry, message):
    hooks(shop, entry, custom("Caller"))
    with shop.open() as workspace:
        workspace.ledger  # noqa: B018 - makes the store
    outcome = shop.profile("orders")["orders"]

    assert isinstance(outcome, Profiled)
    # Those that come after it are told all the same.
    assert ("caller", "profiling_completed") in told
    (failure,) = {payload["error"] for kind, _, payload in rows(shop) if kind == "hook_failed"}
    assert message in failure
    assert "hooks.hooks[0]" in caplog.text
    assert message in caplog.text


def test_a_callback_that_fails_fails_no_profile(shop, told):
    hooks(shop, pre_profiling=f"{HERE}:fail", post_profiling=["my_hooks:nobody", f"{HERE}:end"])
    assert isinstance(shop.profile("orders")["orders"], Profiled)
    assert told == [("end", "profiling_completed", "orders")]
    assert {payload["hook"] for kind, _, payload in rows(shop) if kind == "hook_failed"} == {
        "hooks.pre_profiling (my_hooks:fail)",
        "hooks.post_profiling (my_hooks:nobody)",
    }


def test_a_hook_that_keeps_failing_is_left_alone_for_the_rest_of_the_task(shop, told, caplog):
    hooks(shop, custom("Pager", params={"boom": "change_detected"}))
    shop.sql(*(f"CREATE TABLE t{number} (a INTEGER)" for number in range(5)))
    shop.configure(*(f"t{number}" for number in range(5)))
    shop.refresh()
    assert [kind for _, kind, _ in told] == ["plan_refreshed", *["change_detected"] * 3]
    assert "failed 3 times and is not told any more in this task" in caplog.text


def test_a_hook_that_fails_now_and_then_is_told_of_the_rest(shop, told):
    hooks(shop, custom("Pager", params={"boom": "profiling_started"}))
    shop.profile()
    assert [kind for _, kind, _ in told].count("profiling_completed") == 3


def test_what_a_hook_was_given_is_never_shown_not_even_in_its_own_errors(shop, told, caplog):
    address = "https://hooks.example.com/services/T01/s3cret-path"
    with caplog.at_level(logging.DEBUG):
        hooks(
            shop,
            custom("Pager", params={"address": address, "boom": "profiling_completed"}),
            custom("Moody", params={"token": "s3cret-token"}),
        )
        shop.profile("orders")
    kept = "".join(json.dumps(payload) for _, _, payload in rows(shop))
    assert "ConnectionError: no answer from ***" in kept
    assert "RuntimeError: *** was refused" in kept
    assert "s3cret" not in kept + caplog.text


def test_when_the_store_cannot_be_written_either_the_log_says_so(shop, told, caplog, monkeypatch):
    def refuse(*_):
        raise StoreUnavailableError("the store is away")

    monkeypatch.setattr(EventLog, "add_all", refuse)
    hooks(shop, {"type": "sql"})
    assert isinstance(shop.profile("orders")["orders"], Profiled)
    assert "hooks.hooks[0] (sql) could not be told of profiling_completed: the store is away" in caplog.text
    assert "the failure could not be kept for the doctor: the store is away" in caplog.text


@pytest.mark.parametrize(("place", "why"), [("my_hooks:TOLD", "is no function"), ("no_such:f", "there is no module")])
def test_a_callback_that_is_none_is_named(told, place, why):
    with pytest.raises(ConfigError, match=why):
        load_callback(place)


def test_an_error_inside_the_users_module_is_shown_as_it_is(told, monkeypatch, tmp_path):
    (tmp_path / "broken_hooks.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="there is no module 'no_such_library'"):
        load_callback("broken_hooks:f")
