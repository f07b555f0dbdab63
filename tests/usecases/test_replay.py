from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from profilemesh_airflow.exceptions import UnknownTableError
from profilemesh_airflow.usecases.replay import replay

DAY = timedelta(days=1)
NEVER = "it was never profiled and has no change; the next refresh finds it"


@pytest.fixture
def replayed(shop):
    """Replay: the state before and after of each table that is re-opened, and why each other named one is not."""

    def run(*names, **which):
        with shop.open() as workspace:
            reopened, skipped = replay(workspace, names, **which)
        return {each.ref.key: (each.before, each.state) for each in reopened}, {
            each.ref.key: each.why for each in skipped
        }

    return run


@pytest.fixture
def walked(shop):
    """Orders and users are current, items was profiled two days ago, ghost is parked and was never profiled."""
    shop.configure("orders", "users", "items", "ghost", airflow={"max_attempts": 1})
    shop.profile(changed_only=True)
    with closing(sqlite3.connect(shop.store)) as connection, connection:
        before = "strftime('%Y-%m-%d %H:%M:%f000', profiled_at, '-2 days')"
        connection.execute(f"UPDATE profilemesh_table_state SET profiled_at = {before} WHERE table_key = 'items'")
    return shop


def test_a_named_table_is_profiled_again_though_nothing_changed(walked, replayed):
    assert replayed("orders", reason="month end") == ({"orders": ("current", "open")}, {})

    assert walked.refresh() == ["orders"]
    with walked.open() as workspace:
        assert [str(reason) for reason in workspace.ledger.open_entries()["orders"].reasons] == ["forced: month end"]
    assert [key for key, outcome in walked.profile(changed_only=True).items() if hasattr(outcome, "run_id")] == [
        "orders"
    ]
    assert walked.refresh() == []


def test_a_replay_without_a_reason_was_requested(walked, replayed):
    replayed("orders")

    with walked.open() as workspace:
        assert [str(reason) for reason in workspace.ledger.open_entries()["orders"].reasons] == ["forced: requested"]


def test_a_parked_table_is_tried_again(walked, replayed):
    walked.sql("CREATE TABLE ghost (id INTEGER)")

    assert replayed(parked=True) == ({"ghost": ("parked", "open")}, {})
    assert walked.profile("ghost", changed_only=True)["ghost"].profile.row_count == 0


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (3 * DAY, ["orders", "users", "items"]),
        (DAY, ["orders", "users"]),
        (datetime(2000, 1, 1, tzinfo=timezone.utc), ["orders", "users", "items"]),
        (datetime(2999, 1, 1, tzinfo=timezone.utc), []),
    ],
)
def test_those_whose_last_profile_is_young_enough_are_replayed(walked, replayed, since, expected):
    reopened, skipped = replayed(since=since)

    assert (list(reopened), skipped) == (expected, {})


def test_a_profile_at_that_very_moment_counts(walked, replayed):
    with walked.open() as workspace:
        moment = workspace.ledger.baselines(["orders"])["orders"].profiled_at

    assert replayed("orders", since=moment + timedelta(microseconds=1))[0] == {}
    assert list(replayed("orders", since=moment)[0]) == ["orders"]


def test_a_table_has_to_meet_all_that_is_given_and_a_named_one_that_does_not_says_why(walked, replayed):
    with walked.open() as workspace:
        profiled_at = workspace.ledger.baselines(["items"])["items"].profiled_at.isoformat(timespec="seconds")

    assert replayed("orders", "items", "ghost", since=DAY) == (
        {"orders": ("current", "open")},
        {"items": f"it was last profiled at {profiled_at}", "ghost": "it was never profiled"},
    )
    assert replayed("orders", "ghost", parked=True) == (
        {"ghost": ("parked", "open")},
        {"orders": "it is not parked"},
    )
    assert replayed(parked=True, since=3 * DAY) == ({}, {})


def test_what_a_worker_is_at_is_profiled_once_more_after_that(walked, replayed):
    walked.sql("INSERT INTO orders VALUES (9, 1, 'x')")
    walked.refresh()
    with walked.open() as workspace:
        claim = workspace.ledger.claim("orders", "somebody")
        assert replayed("orders") == ({"orders": ("claimed", "claimed")}, {})
        workspace.ledger.fail(claim, "it does not matter how it ends")
        assert workspace.ledger.open_entries()["orders"].attempts == 0
    assert walked.refresh() == ["orders"]


def test_a_table_that_nobody_has_looked_at_yet_is_reported_and_left_alone(walked, replayed):
    walked.configure("orders", "new")

    assert replayed("new", "orders") == ({"orders": ("current", "open")}, {"new": NEVER})
    assert replayed(parked=True) == ({}, {})


def test_nothing_is_made_where_there_is_no_store_yet(shop, replayed):
    assert replayed("orders") == ({}, {"orders": NEVER})
    assert replayed(parked=True) == ({}, {})
    assert shop.digest() == {}


def test_neither_the_profiled_database_is_asked_nor_anything_written_where_no_table_fits(walked, replayed):
    walked.source.unlink()
    before = walked.digest()

    assert replayed("orders", parked=True) == ({}, {"orders": "it is not parked"})
    assert walked.digest() == before
    assert replayed("orders")[0] == {"orders": ("current", "open")}
    assert not walked.source.exists()


def test_a_name_that_fits_no_table_is_an_error(walked, replayed):
    with pytest.raises(UnknownTableError, match="orders"):
        replayed("ordres")
