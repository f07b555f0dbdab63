"""The store's event log does not grow for ever."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store import EventLog
from tests.clock import change_clock


@pytest.fixture
def kept_for_a_day(shop):
    """A project whose store keeps events for a day."""
    hooks = {"enabled": True, "hooks": [{"type": "sql"}]}
    shop.configure("orders", "users", "items", hooks=hooks, airflow={"events_retention": "1d"})
    return shop


def events_of(shop):
    with closing(sqlite3.connect(shop.store)) as connection:
        return [each for (each,) in connection.execute("SELECT event_type FROM profilemesh_events ORDER BY event_id")]


def test_a_refresh_deletes_what_was_kept_for_long_enough(kept_for_a_day, monkeypatch):
    kept_for_a_day.refresh()
    kept_for_a_day.refresh()
    assert events_of(kept_for_a_day) == ["plan_refreshed", *["change_detected"] * 3, "plan_refreshed"]

    change_clock(monkeypatch, lambda now: now + timedelta(days=2))
    kept_for_a_day.refresh()
    assert events_of(kept_for_a_day) == ["plan_refreshed"]


def test_events_that_cannot_be_deleted_stop_no_refresh(kept_for_a_day, monkeypatch, caplog):
    def refuse(*_):
        raise StoreError("no right to delete")

    monkeypatch.setattr(EventLog, "prune", refuse)
    assert len(kept_for_a_day.refresh()) == 3
    assert "old events could not be deleted, the next refresh tries again: no right to delete" in caplog.text
