"""Events as rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from profilemesh_airflow.core.events import Event
    from profilemesh_airflow.store import EventLog


class TableReceiver:
    """Appends every event to an event log, all that are told together in one transaction.

    :param open_log: opens it; called when there is a first event.
    :param secrets: texts that its errors must not show.
    """

    in_bulk = True

    def __init__(self, name: str, open_log: Callable[[], EventLog], secrets: tuple[str, ...] = ()) -> None:
        self.name = name
        self.secrets = secrets
        self._open_log = open_log
        self._log: EventLog | None = None

    def receive(self, events: Sequence[Event]) -> None:
        """Append them."""
        if self._log is None:
            self._log = self._open_log()
        self._log.add_all((event.event_type, event.table_key, event.as_dict()) for event in events)
