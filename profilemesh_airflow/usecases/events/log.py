"""Events in the log: one line each, which a machine can read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from profilemesh_airflow.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.core.events import Event

#: A name of its own, so that events can be sent elsewhere than the other messages.
log = logging.getLogger("profilemesh_airflow.events")


class LogReceiver:
    """Writes every event as one line: ``event``, its type, and the record as JSON.

    :param level: a level of :mod:`logging`.
    """

    in_bulk = True
    secrets: tuple[str, ...] = ()

    def __init__(self, name: str, level: int = logging.INFO) -> None:
        self.name = name
        self._level = level

    def receive(self, events: Iterable[Event]) -> None:
        """Write the events."""
        for event in events:
            log_event(event, self._level)


def log_event(event: Event, level: int = logging.INFO) -> None:
    """Write one event."""
    log.log(level, "event %s %s", event.event_type, canonical_json(event.as_dict()))
