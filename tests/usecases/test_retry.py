"""What is tried again within the task, after which waits, and what is not."""

from __future__ import annotations

import logging

import psycopg2
import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.exceptions import (
    ClaimLostError,
    ConfigError,
    ProfileTimeoutError,
    StoreError,
    StoreUnavailableError,
    TableMissingError,
    WarehouseError,
    WarehouseUnavailableError,
)
from profilemesh_airflow.store import Ledger, Store
from profilemesh_airflow.usecases.outcome import Failed, Profiled
from profilemesh_airflow.usecases.planning import build_plan, detect
from profilemesh_airflow.usecases.profile import Worker, profile_change
from profilemesh_airflow.usecases.refresh import deferred, mark_rung, record, waiting
from profilemesh_airflow.usecases.replay import replay
from profilemesh_airflow.usecases.retry import Retry
from profilemesh_airflow.warehouse import Warehouse

#: Waits that a test can wait for.
QUICK = {"min_backoff": 0.01, "max_backoff": 0.02}


class Flaky:
    """Fails so often, then answers."""

    def __init__(self, times, error=None):
        self.left = times
        self.calls = 0
        self.error = error or WarehouseUnavailableError("not now")

    def __call__(self, *_):
        self.calls += 1
        if self.calls <= self.left:
            raise self.error
        return "done"


def waits_of(flaky, retries=3, shortest=0.5, longest=8.0, *, exponential=True):
    """How long it was waited between the tries."""
    waits = []
    retry = Retry(retries, shortest, longest, exponential=exponential, sleep=waits.append)
    assert retry.call("work", flaky) == "done"
    return waits


def test_what_goes_well_at_once_is_done_once_without_a_wait():
    flaky = Flaky(0)
    assert (waits_of(flaky), flaky.calls) == ([], 1)


def test_three_retries_are_three_further_tries():
    flaky = Flaky(3)
    assert (len(waits_of(flaky)), flaky.calls) == (3, 4)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_last_error_is_raised_as_it_is(retries):
    flaky, waits = Flaky(99), []
    with pytest.raises(WarehouseUnavailableError) as raised:
        Retry(retries, 0.5, 8.0, sleep=waits.append).call("work", flaky)
    assert raised.value is flaky.error
    assert (flaky.calls, len(waits)) == (retries + 1, retries)


@pytest.mark.parametrize(
    "error",
    [
        WarehouseError("wrong password"),
        TableMissingError("gone"),
        ProfileTimeoutError("too long"),
        StoreError("not migrated"),
        ClaimLostError("taken over"),
        ConfigError("no such connection"),
        ConnectionError("of the operating system"),
        KeyboardInterrupt(),
    ],
)
def test_what_does_not_pass_is_not_tried_again(error):
    flaky = Flaky(99, error)
    with pytest.raises(type(error)):
        Retry(3, 0.5, 8.0, sleep=lambda _: None).call("work", flaky)
    assert flaky.calls == 1


@pytest.mark.parametrize("error", [WarehouseUnavailableError("away"), StoreUnavailableError("away")])
def test_both_databases_are_asked_again(error):
    assert len(waits_of(Flaky(1, error))) == 1


def test_fixed_waits_are_all_the_shortest():
    assert waits_of(Flaky(4), 4, 2.0, 60.0, exponential=False) == [2.0] * 4


@given(st.floats(0.01, 60), st.floats(1, 5))
def test_waits_that_grow_stay_between_the_shortest_and_a_bound_that_doubles(shortest, factor):
    longest = min(shortest * factor, 300)
    waits = waits_of(Flaky(6), 6, shortest, longest)
    bounds = [min(2 * shortest * 2**number, longest) for number in range(6)]
    assert all(shortest <= wait <= bound or wait == shortest for wait, bound in zip(waits, bounds, strict=True))


def test_workers_that_the_same_trouble_met_do_not_come_back_at_once():
    firsts = {waits_of(Flaky(1))[0] for _ in range(20)}
    assert len(firsts) > 10
    assert all(0.5 <= first <= 1 for first in firsts)


def test_each_retry_is_logged_with_what_which_try_and_how_long_it_waits(caplog):
    with caplog.at_level(logging.INFO):
        waits_of(Flaky(2), 3, 2.0, 2.0, exponential=False)
    assert [record.getMessage() for record in caplog.records] == [
        "work failed, try 1 of 4; again in 2.0 s: not now",
        "work failed, try 2 of 4; again in 2.0 s: not now",
    ]


@pytest.mark.parametrize(
    ("section", "tries"),
    [
        ({}, 4),
        ({"retries": 1}, 2),
        ({"retries": 0}, 1),
        ({"enabled": False}, 1),
        ({"backoff_strategy": "fixed"}, 4),
    ],
)
def test_the_section_retry_says_how_often(shop, monkeypatch, section, tries):
    shop.configure("orders", retry={**QUICK, **section})
    catalog = Flaky(99)
    monkeypatch.setattr(Warehouse, "catalog", catalog)

    with shop.open() as workspace, pytest.raises(WarehouseUnavailableError):
        build_plan(workspace)

    assert catalog.calls == tries


@pytest.mark.parametrize("strategy", ["exponential", "fixed"])
def test_the_section_retry_says_how_long(shop, strategy):
    shop.configure("orders", retry={"backoff_strategy": strategy, "min_backoff": 2, "max_backoff": 3, "retries": 9})
    with shop.open() as workspace:
        waits = []
        workspace.retry._sleep = waits.append
        workspace.retry.call("work", Flaky(9))
    assert ({2.0} == set(waits)) == (strategy == "fixed")
    assert all(2 <= wait <= 3 for wait in waits)


@pytest.fixture
def quick(shop):
    shop.configure("orders", "users", retry=QUICK)
    return shop


def once(monkeypatch, owner, name, error, *, after=False):
    """Have a method fail the first time; ``after`` it has done its work, as when its answer is lost."""
    really, calls = getattr(owner, name), []

    def failing(self, *arguments, **keywords):
        calls.append(arguments)
        if len(calls) > 1:
            return really(self, *arguments, **keywords)
        if after:
            really(self, *arguments, **keywords)
        raise error

    monkeypatch.setattr(owner, name, failing)
    return calls


AWAY, UNREACHABLE = StoreUnavailableError("the store is away"), WarehouseUnavailableError("the warehouse is away")


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (Warehouse, "catalog", UNREACHABLE),
        (Warehouse, "versions", UNREACHABLE),
        (Store, "peek", AWAY),
        (Ledger, "record", AWAY),
    ],
)
def test_a_refresh_survives_a_trouble_that_passes(quick, monkeypatch, owner, name, error):
    calls = once(monkeypatch, owner, name, error)

    assert sorted(quick.refresh()) == ["orders", "users"]
    assert len(calls) == 2


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", ["now", "entries", "mark_rung"])
def test_a_ring_survives_a_trouble_that_passes(quick, monkeypatch, name, after):
    with quick.open() as workspace:
        recorded = [entry.change_id for entry in record(workspace, detect(workspace))]
        calls = once(monkeypatch, Ledger, name, AWAY, after=after)

        mark_rung(workspace, waiting(workspace, recorded))

        assert len(calls) == 2
        assert all(entry.rings for entry in workspace.ledger.open_entries().values())


def test_what_waits_for_a_budget_is_told_though_the_store_was_away(quick, monkeypatch):
    with quick.open() as workspace:
        rung = record(workspace, detect(workspace), Budget(tables=1))
        once(monkeypatch, Ledger, "view", AWAY)

        assert [entry.key for entry in deferred(workspace, rung)] == ["users"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "name"), [(Store, "version"), (Ledger, "view"), (Ledger, "reopen")])
def test_a_replay_survives_a_trouble_that_passes(quick, monkeypatch, owner, name, after):
    quick.profile(changed_only=True)
    calls = once(monkeypatch, owner, name, AWAY, after=after)

    with quick.open() as workspace:
        reopened, skipped = replay(workspace, ["orders"])

    assert len(calls) >= 2
    assert ([(each.ref.key, each.before) for each in reopened], skipped) == ([("orders", "current")], [])
    assert quick.refresh() == ["orders"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (Store, "ledger", AWAY),
        (Ledger, "view", AWAY),
        (Ledger, "record", AWAY),
        (Ledger, "commit", AWAY),
        (Warehouse, "catalog", UNREACHABLE),
        (Warehouse, "profile", UNREACHABLE),
    ],
)
def test_a_profile_survives_a_trouble_that_passes_even_when_only_the_answer_was_lost(
    quick, monkeypatch, owner, name, error, after
):
    calls = once(monkeypatch, owner, name, error, after=after)

    outcomes = quick.profile(changed_only=True)

    assert [type(outcome) for outcome in outcomes.values()] == [Profiled, Profiled]
    assert len(calls) >= 2
    assert quick.detect() == {}
    with quick.open() as workspace:
        assert workspace.ledger.open_entries() == {}
        assert [entry.attempts for entry in workspace.ledger.history("orders")] == [0]


def test_a_claim_that_the_store_refused_once_is_made(quick, monkeypatch):
    calls = once(monkeypatch, Ledger, "claim", AWAY)

    assert isinstance(quick.profile("orders")["orders"], Profiled)
    assert len(calls) == 2


def test_a_claim_whose_answer_was_lost_comes_back_by_its_lease(quick, monkeypatch):
    quick.configure("orders", airflow={"lease": "1s", "redeliver_after": "1s"})
    quick.refresh()
    with monkeypatch.context() as patch:
        once(patch, Ledger, "claim", AWAY, after=True)
        assert "test is at it until" in quick.profile(changed_only=True)["orders"].why

    with quick.open() as workspace:
        lost = workspace.ledger.open_entries()["orders"]
    assert (lost.state, lost.claimed_by) == ("claimed", "test")


def test_a_failure_is_recorded_though_the_store_refused_it_once(quick, monkeypatch):
    quick.sql("DROP TABLE orders")
    calls = once(monkeypatch, Ledger, "fail", AWAY)

    assert isinstance(quick.profile("orders")["orders"], Failed)
    assert len(calls) == 2
    with quick.open() as workspace:
        assert workspace.ledger.open_entries()["orders"].attempts == 1


def test_tries_that_are_used_up_are_one_attempt(quick, monkeypatch):
    monkeypatch.setattr(Warehouse, "profile", Flaky(99))

    outcome = quick.profile("orders")["orders"]

    assert (outcome.error, outcome.error_type) == ("not now", "WarehouseUnavailableError")
    with quick.open() as workspace:
        assert workspace.ledger.open_entries()["orders"].attempts == 1


def test_the_tries_of_a_profile_are_not_multiplied_by_those_of_its_parts(quick, monkeypatch):
    quick.refresh()
    catalog = Flaky(99)
    monkeypatch.setattr(Warehouse, "catalog", catalog)

    with quick.open() as workspace:
        profile_change(workspace, workspace.refs[0], Worker("test"))
    assert catalog.calls == 4


def test_the_data_version_is_read_anew_for_every_try(quick, monkeypatch):
    """Rows that arrived between the tries are in the profile, and so in its baseline."""
    really, tried = Warehouse.profile, []

    def broken_at_first(self, *arguments):
        tried.append(arguments)
        if len(tried) == 1:
            quick.sql("INSERT INTO orders VALUES (4, 1.0, 'late')")
            raise UNREACHABLE
        return really(self, *arguments)

    monkeypatch.setattr(Warehouse, "profile", broken_at_first)
    outcome = quick.profile("orders")["orders"]

    assert outcome.profile.row_count == 4
    assert quick.detect(["orders"]) == {}


@pytest.fixture
def served(shop, postgres_database):
    """One table on PostgreSQL whose profile takes about a second, and a connection of an administrator."""
    at = postgres_database
    admin = psycopg2.connect(
        host=at.host, port=at.port, dbname=at.database, user=at.username, password=at.password or ""
    )
    admin.autocommit = True
    cursor = admin.cursor()
    cursor.execute("CREATE VIEW slow AS SELECT i, length(pg_sleep(0.01)::text) AS n FROM generate_series(1, 30) g(i)")
    source = {"name": "shop", "type": "postgres", "host": at.host, "database": at.database, "username": at.username}
    shop.configure("slow", source={**source, **({"port": at.port} if at.port else {})}, retry=QUICK)
    yield shop, cursor
    admin.close()


def test_a_profile_whose_connection_the_server_ends_once_is_done_again(served, monkeypatch, caplog):
    project, cursor = served
    really, ended = Warehouse.profile, []

    def profile(self, info, settings, timeout=None, *more):
        if not ended:
            cursor.execute(
                "CREATE OR REPLACE VIEW slow AS SELECT i, pg_terminate_backend(pg_backend_pid())::int AS n"
                " FROM generate_series(1, 30) g(i)"
            )
        try:
            return really(self, info, settings, timeout, *more)
        except WarehouseUnavailableError as error:
            ended.append(error)
            cursor.execute("CREATE OR REPLACE VIEW slow AS SELECT i, 1 AS n FROM generate_series(1, 30) g(i)")
            raise

    monkeypatch.setattr(Warehouse, "profile", profile)
    with project.open() as workspace:
        record(workspace, detect(workspace))
        outcome = profile_change(workspace, workspace.refs[0], Worker("test"))
        assert workspace.ledger.history("slow")[0].attempts == 0

    assert isinstance(outcome, Profiled)
    assert all(column.errors == {} for column in outcome.profile.columns)
    assert len(ended) == 1
    assert "profiling slow failed, try 1 of 4; again in 0.0 s: cannot use postgres database" in caplog.text
