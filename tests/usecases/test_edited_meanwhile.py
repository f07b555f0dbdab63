"""A configuration that is edited while it is at work: one refresh sees one version of it, the next one the next."""

from __future__ import annotations

import pytest

from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables
from profilemesh_airflow.usecases.refresh import record, waiting
from profilemesh_airflow.warehouse import Warehouse


def edit(shop):
    """One table has other settings, one is gone, one is new; and everything has another priority."""
    shop.configure(
        {"table": "orders", "metrics": ["count", "histogram"], "priority": 9}, "items", {"table": "news", "priority": 9}
    )


@pytest.fixture
def profiled(shop):
    """All three tables are profiled; then rows arrive in two of them."""
    shop.profile()
    shop.sql("CREATE TABLE news (id INTEGER)")
    shop.sql("INSERT INTO orders VALUES (4, 1.0, 'd')", "INSERT INTO users VALUES (3, 'Edsger')")
    return shop


def kinds(changes):
    return {change.key: [(reason.kind, reason.field) for reason in change.reasons] for change in changes}


@pytest.mark.parametrize("between", ["catalog", "versions"])
def test_an_edit_in_the_middle_of_the_detection_is_seen_by_the_next(profiled, monkeypatch, between):
    really = getattr(Warehouse, between)

    def edited(self, *arguments):
        found = really(self, *arguments)
        edit(profiled)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, between, edited)
        with profiled.open() as workspace:
            detection = detect(workspace)
            rung = record(workspace, detection)

    data = [("data", "version")]
    assert kinds(detection.diff.changes) == {"orders": data, "users": data}
    assert detection.diff.removed == ()
    assert {(entry.key, entry.priority) for entry in rung} == {("orders", 0), ("users", 0)}

    with profiled.open() as workspace:
        second = detect(workspace)
        record(workspace, second)
        entries = workspace.ledger.open_entries()
    assert kinds(second.diff.changes) == {"orders": [("settings", "metrics"), *data], "news": [("added", "table")]}
    assert [ref.key for ref in second.diff.removed] == ["users"]
    assert {key: entry.priority for key, entry in entries.items()} == {"orders": 9, "news": 9}


def test_an_edit_between_detection_and_ring_does_not_change_what_is_rung(profiled):
    with profiled.open() as workspace:
        found = [entry.change_id for entry in record(workspace, detect(workspace))]
    edit(profiled)

    with profiled.open() as workspace:
        rung = waiting(workspace, found)
        workspace.ledger.mark_rung([entry.change_id for entry in rung])
    assert kinds(rung) == {"orders": [("data", "version")], "users": [("data", "version")]}
    assert profiled.refresh() == ["orders", "news"]


def test_a_worker_profiles_what_its_own_version_says_and_the_next_refresh_finds_the_rest(profiled):
    """The doorbell was rung for the first version; the worker started after the edit."""
    with profiled.open() as workspace:
        record(workspace, detect(workspace))
    edit(profiled)

    with profiled.open() as workspace:
        (outcome,) = profile_tables(workspace, workspace.refs[:1], Worker("test"))
    assert {metric for column in outcome.profile.columns for metric in column.metrics} == {"count", "histogram"}
    assert profiled.refresh() == ["news"]


def test_an_edit_during_a_profile_is_the_next_change(profiled, monkeypatch):
    really = Warehouse.profile

    def edited(self, *arguments):
        profile = really(self, *arguments)
        edit(profiled)
        return profile

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "profile", edited)
        outcome = profiled.profile("orders")["orders"]
    assert len({metric for column in outcome.profile.columns for metric in column.metrics}) > 2
    assert profiled.detect(["orders"]) == {"orders": ["settings"]}
