"""Somebody who listens."""

from __future__ import annotations

import pytest


class Listener:
    """Keeps every event that it is told."""

    name = "listener"
    in_bulk = True
    secrets = ()

    def __init__(self):
        self.events = []

    def receive(self, events):
        self.events += events

    def take(self):
        """The type and table of each event since the last time."""
        taken, self.events = self.events, []
        return [(event.event_type, event.table_key) for event in taken]

    def only(self, event_type):
        """The data of the one event of a type."""
        (event,) = (event for event in self.events if event.event_type == event_type)
        return event.data


@pytest.fixture
def listener(shop, monkeypatch):
    """Hears what every workspace of the project tells."""
    listener, really = Listener(), shop.open

    def open_workspace():
        workspace = really()
        workspace.events.listen(listener)
        return workspace

    monkeypatch.setattr(shop, "open", open_workspace)
    return listener
