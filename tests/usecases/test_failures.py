"""What a failed profile leaves behind, what an interruption does, and what fails everything."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from profilemesh_airflow.exceptions import (
    ClaimLostError,
    ConfigError,
    DriverMissingError,
    ProfileError,
    StoreError,
    StoreUnavailableError,
    WarehouseError,
    WarehouseUnavailableError,
)
from profilemesh_airflow.store import Ledger
from profilemesh_airflow.usecases.outcome import Profiled
from profilemesh_airflow.usecases.planning import detect, offline_plan
from profilemesh_airflow.usecases.profile import Worker, profile_change, profile_tables
from profilemesh_airflow.usecases.refresh import record
from profilemesh_airflow.usecases.status import table_states
from profilemesh_airflow.warehouse import Warehouse

#: A view that takes many seconds to read.
SLOW = (
    "CREATE VIEW slow AS WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 2e9) SELECT a FROM n"
)


def raising(error):
    def work(*_, **__):
        raise error

    return work


def open_entry(shop, key="orders"):
    with shop.open() as workspace:
        return workspace.ledger.open_entries()[key]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ProfileError("orders cannot be profiled"), "ProfileError", "orders cannot be profiled"),
        (WarehouseError("cannot use it"), "WarehouseError", "cannot use it"),
        (ZeroDivisionError("a mistake of ours"), "ZeroDivisionError", "ZeroDivisionError: a mistake of ours"),
    ],
)
def test_a_failure_is_kept_with_its_class_its_message_and_its_time(shop, monkeypatch, error, kind, message):
    monkeypatch.setattr(Warehouse, "profile", raising(error))

    outcome = shop.profile("orders")["orders"]
    entry = open_entry(shop)

    assert outcome.as_dict() == {"table_key": "orders", "error": message, "error_type": kind}
    assert (entry.last_error, entry.last_error_type, entry.attempts) == (message, kind, 1)
    assert entry.last_error_at == entry.updated_at


def test_of_a_drivers_error_it_is_our_class_that_is_kept(shop):
    shop.refresh()
    shop.source.rename(shop.folder / "elsewhere.db")
    with shop.open() as workspace:
        outcome = profile_change(workspace, workspace.refs[0], Worker("test"))

    assert outcome.error_type == open_entry(shop).last_error_type == "WarehouseError"


def test_a_profile_that_takes_too_long_fails_alone_once_and_says_what_to_change(shop, monkeypatch):
    shop.sql(SLOW)
    shop.sections["profiling"]["timeout"] = "3s"
    shop.configure("slow", "orders")
    really, tried = Warehouse.profile, []

    def counted(self, info, *arguments):
        tried.append(str(info.ref))
        return really(self, info, *arguments)

    monkeypatch.setattr(Warehouse, "profile", counted)
    started = time.monotonic()
    outcomes = shop.profile()
    entry = open_entry(shop, "slow")

    assert time.monotonic() - started < 30
    assert isinstance(outcomes["orders"], Profiled)
    assert outcomes["slow"].error.startswith("slow was not profiled within 3 s")
    assert (entry.last_error_type, entry.attempts) == ("ProfileTimeoutError", 1)
    assert tried == ["slow", "orders"]


def test_a_table_may_have_a_longer_or_shorter_time_than_the_others(shop, monkeypatch):
    shop.sections["profiling"]["timeout"] = "10m"
    shop.configure({"table": "orders", "timeout": "2h"}, "users", {"table": "items", "timeout": "5s"})
    really, given = Warehouse.profile, []

    def spied(self, info, settings, timeout=None, *more):
        given.append(timeout)
        return really(self, info, settings, timeout, *more)

    monkeypatch.setattr(Warehouse, "profile", spied)
    shop.profile()

    assert given == [timedelta(hours=2), timedelta(minutes=10), timedelta(seconds=5)]


def test_without_a_timeout_there_is_no_limit(shop):
    with shop.open() as workspace:
        assert {care.timeout for care in workspace.care.values()} == {None}


def interrupted(shop, monkeypatch, interruption, worker=None):
    with shop.open() as workspace:
        record(workspace, detect(workspace))
        monkeypatch.setattr(Warehouse, "profile", raising(interruption))
        with pytest.raises(type(interruption)) as raised:
            profile_change(workspace, workspace.refs[0], worker or Worker("test"))
        assert raised.value is interruption


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit("the task was told to stop")])
def test_an_interruption_gives_the_change_back_at_once_and_says_which(shop, monkeypatch, interruption):
    with monkeypatch.context() as patch:
        interrupted(shop, patch, interruption)

    entry = open_entry(shop)
    assert (entry.state, entry.last_error) == ("open", "interrupted while it was profiled")
    assert entry.last_error_type == type(interruption).__name__
    assert isinstance(shop.profile(changed_only=True)["orders"], Profiled)


@pytest.mark.parametrize("error", [StoreUnavailableError("the store is away"), ClaimLostError("somebody has it")])
def test_an_interruption_is_not_hidden_by_a_store_that_is_away_nor_is_the_store_waited_for(
    shop, monkeypatch, caplog, error
):
    asked = []

    def away(*arguments, **_):
        asked.append(arguments)
        raise error

    monkeypatch.setattr(Ledger, "fail", away)
    started = time.monotonic()
    interrupted(shop, monkeypatch, KeyboardInterrupt())

    assert len(asked) == 1
    assert time.monotonic() - started < 20
    assert f"orders could not be given back, and is rung again when its lease has run out: {error}" in caplog.text


def test_an_interruption_between_two_tries_does_not_wait_for_the_next(shop, monkeypatch):
    monkeypatch.setattr(Warehouse, "profile", raising(WarehouseUnavailableError("the warehouse is away")))
    with shop.open() as workspace:
        workspace.retry._sleep = raising(KeyboardInterrupt())
        record(workspace, detect(workspace))
        with pytest.raises(KeyboardInterrupt):
            profile_change(workspace, workspace.refs[0], Worker("test"))

    assert open_entry(shop).last_error_type == "KeyboardInterrupt"


@pytest.fixture
def impatient(shop):
    shop.configure("orders", "users", retry={"enabled": False})
    return shop


def test_a_store_that_goes_away_stops_everything(impatient, monkeypatch):
    """Neither the profile nor its failure can be written, and so it would be with every other table."""
    away = StoreUnavailableError("the store is away")
    impatient.refresh()
    asked = []
    with monkeypatch.context() as patch, impatient.open() as workspace:
        patch.setattr(Ledger, "commit", raising(away))
        patch.setattr(Ledger, "fail", raising(away))
        with pytest.raises(StoreUnavailableError):
            profile_tables(workspace, workspace.refs, Worker("test"), asked.append)

    assert [ref.key for ref in asked] == ["orders"]
    assert open_entry(impatient).state == "claimed"


def test_a_failure_that_cannot_be_recorded_is_still_in_the_log(impatient, monkeypatch, caplog):
    impatient.refresh()
    impatient.sql("DROP TABLE orders")
    monkeypatch.setattr(Ledger, "fail", raising(StoreError("the store is away")))
    with impatient.open() as workspace, pytest.raises(StoreError):
        profile_tables(workspace, workspace.refs, Worker("test"))

    assert "profiling orders failed: table orders was not found" in caplog.text


def test_a_commit_that_the_store_refuses_fails_that_table_alone(impatient, monkeypatch):
    """As a value that it cannot hold: the next table has others."""
    really = Ledger.commit

    def picky(self, claim, run):
        if claim.key == "orders":
            raise StoreError("the value is too long")
        return really(self, claim, run)

    monkeypatch.setattr(Ledger, "commit", picky)
    outcomes = impatient.profile()

    assert (outcomes["orders"].error_type, type(outcomes["users"])) == ("StoreError", Profiled)
    assert open_entry(impatient).last_error == "the value is too long"


def test_a_claim_that_was_lost_fails_that_table_alone(impatient, monkeypatch, caplog):
    really = Warehouse.profile

    def taken_for_dead(self, info, *arguments):
        profile = really(self, info, *arguments)
        if str(info.ref) == "orders":
            with impatient.open() as other:
                other.ledger.fail(other.ledger.open_entries()["orders"], "taken for dead")
                other.ledger.claim("orders", "another worker")
        return profile

    monkeypatch.setattr(Warehouse, "profile", taken_for_dead)
    outcomes = impatient.profile()

    assert (outcomes["orders"].error_type, type(outcomes["users"])) == ("ClaimLostError", Profiled)
    assert "the failure of orders could not be recorded" in caplog.text
    assert (open_entry(impatient).claimed_by, open_entry(impatient).last_error) == ("another worker", "taken for dead")


@pytest.mark.parametrize(
    "error", [ConfigError("Airflow has no connection 'shop'"), DriverMissingError("PostgreSQL needs a driver")]
)
def test_what_is_wrong_with_the_configuration_stops_everything_and_is_kept_on_the_change(impatient, monkeypatch, error):
    impatient.refresh()
    with monkeypatch.context() as patch, impatient.open() as workspace:
        patch.setattr(Warehouse, "catalog", raising(error))
        with pytest.raises(type(error)):
            profile_tables(workspace, workspace.refs, Worker("test"))
        assert {state.ref.key: state.attempts for state in table_states(workspace)} == {"orders": 1, "users": 0}

    entry = open_entry(impatient)
    assert (entry.state, entry.last_error_type) == ("open", type(error).__name__)


def test_the_priority_of_a_table_is_in_the_plan_and_in_the_ledger(shop):
    shop.configure({"table": "orders", "priority": -3}, "users", {"table": "items", "priority": 10})

    assert shop.refresh() == ["items", "users", "orders"]
    with shop.open() as workspace:
        plans = detect(workspace).plan, offline_plan(workspace)
        entries = workspace.ledger.open_entries()
    for plan in plans:
        assert {entry.key: entry.priority for entry in plan.entries} == {"orders": -3, "users": 0, "items": 10}
    assert {key: entry.priority for key, entry in entries.items()} == {"orders": -3, "users": 0, "items": 10}


def test_another_priority_is_no_change_and_reaches_the_ledger_with_the_next_refresh(shop):
    shop.profile()
    shop.configure({"table": "orders", "priority": 5}, "users", "items")
    assert shop.detect() == {}

    shop.sql("INSERT INTO orders VALUES (4, 1.0, 'd')")
    shop.refresh()
    assert open_entry(shop).priority == 5
