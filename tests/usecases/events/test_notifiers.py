"""Notifiers of Airflow's as hooks."""

from __future__ import annotations

import logging

import pytest

from profilemesh_airflow.compat.airflow import BaseNotifier
from profilemesh_airflow.compat.capabilities import NOTIFIERS

SENT = []


class Slack(BaseNotifier):
    """A notifier as Airflow's providers have them."""

    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        SENT.append((self.text, context["profilemesh_event"]["event_type"]))


@pytest.fixture
def notified(shop):
    SENT.clear()
    text = "{{ profilemesh_event.table_key }} has {{ profilemesh_event.row_count }} rows"
    place = {"module": __name__, "class_name": "Slack", "params": {"text": text}, "events": ["profiling_completed"]}
    shop.configure("orders", "users", "items", hooks={"hooks": [{"type": "custom", **place}]})
    return shop


@pytest.mark.skipif(not NOTIFIERS.available, reason="this Airflow has no notifiers")
def test_an_airflow_notifier_renders_its_templates_with_each_event(notified, monkeypatch):
    really = notified.open

    def open_workspace():
        workspace = really()
        workspace.events.context = {"dag": None}
        return workspace

    monkeypatch.setattr(notified, "open", open_workspace)
    notified.profile("orders", "users")
    assert SENT == [("orders has 3 rows", "profiling_completed"), ("users has 2 rows", "profiling_completed")]


def test_without_a_task_it_is_not_called_and_the_log_says_so(notified, caplog):
    with caplog.at_level(logging.INFO):
        notified.profile("orders")
    assert SENT == []
    assert "is told by Airflow's tasks alone" in caplog.text
    with notified.open() as workspace:
        assert workspace.events.failures == []
