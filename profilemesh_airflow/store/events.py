"""The event log."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.store.rows import belongs_to, identity_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Select, Table
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.database import Database

#: The latest rows that are read at most.
MOST_READ = 1000

#: So many old rows are deleted at a time, so that no transaction is long; the others go the next time.
MOST_PRUNED = 10_000

#: Whatever is kept for longer is kept for ever: dates do not begin early enough to tell.
_EVER = timedelta(days=365_000)


@dataclass(frozen=True)
class StoredEvent:
    """One row of the log.

    :param occurred_at: when it was written, by the database's clock.
    """

    event_type: str
    table_key: str | None
    occurred_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)


class EventLog:
    """What happened to the tables of one configuration."""

    def __init__(self, database: Database, events: Table, identity: Identity) -> None:
        self._database = database
        self._events = events
        self._identity = identity

    def add(self, event_type: str, key: str | None = None, payload: Mapping[str, Any] | None = None) -> None:
        """Append to the log, at the time of the database's clock.

        :param key: the table it is about, or none.
        :param payload: JSON-safe data, without secrets.
        """
        self.add_all([(event_type, key, payload or {})])

    def add_all(self, events: Iterable[tuple[str, str | None, Mapping[str, Any]]]) -> None:
        """Append several, in this order, in one transaction: each as its type, its table's key and its payload."""
        rows = [
            {
                **identity_columns(self._identity),
                "event_type": event_type,
                "table_key": key,
                "payload": canonical_json(payload),
            }
            for event_type, key, payload in events
        ]

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            connection.execute(self._events.insert(), [{**row, "occurred_at": now} for row in rows])

        if rows:
            self._database.write(work)

    def latest(self, event_type: str, within: timedelta) -> list[StoredEvent]:
        """The events of one type in the last ``within``, newest first; at most :data:`MOST_READ`."""

        def work(connection: Connection) -> list[StoredEvent]:
            since = self._events.c.occurred_at >= self._database.now(connection) - within
            return self._read(connection, self._of(event_type).where(since).limit(MOST_READ))

        return self._database.read(work)

    def newest(self, event_type: str) -> StoredEvent | None:
        """The latest event of one type, however old; none where there is none."""
        query = self._of(event_type).limit(1)
        return next(iter(self._database.read(lambda connection: self._read(connection, query))), None)

    def _of(self, event_type: str) -> Select[Any]:
        events = self._events
        chosen = select(events).where(belongs_to(events, self._identity), events.c.event_type == event_type)
        return chosen.order_by(events.c.occurred_at.desc(), events.c.event_id.desc())

    def _read(self, connection: Connection, query: Select[Any]) -> list[StoredEvent]:
        return [
            StoredEvent(row["event_type"], row["table_key"], row["occurred_at"], json.loads(row["payload"]))
            for row in connection.execute(query).mappings()
        ]

    def prune(self, keep: timedelta, most: int = MOST_PRUNED) -> int:
        """Delete the events that are older than ``keep``, the oldest first, and at most ``most``.

        Where there is none, nothing is written, and no writer is waited for.

        :returns: how many rows went.
        """
        events = self._events

        def old(connection: Connection) -> list[ColumnElement[bool]]:
            limit = self._database.now(connection) - min(keep, _EVER)
            return [belongs_to(events, self._identity), events.c.occurred_at < limit]

        def last_to_go(connection: Connection) -> int | None:
            oldest = select(events.c.event_id).where(*old(connection)).order_by(events.c.event_id).limit(most)
            last: int | None = connection.execute(select(func.max(oldest.subquery().c.event_id))).scalar_one()
            return last

        last = self._database.read(last_to_go)
        if last is None:
            return 0
        return self._database.write(
            lambda connection: (
                connection.execute(delete(events).where(*old(connection), events.c.event_id <= last)).rowcount
            )
        )
