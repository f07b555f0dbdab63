"""The event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.store.rows import identity_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.schema import Tables


class EventLog:
    """What happened to the tables of one configuration."""

    def __init__(self, database: Database, tables: Tables, identity: Identity) -> None:
        self._database = database
        self._events = tables.events
        self._identity = identity

    def add(self, event_type: str, key: str | None = None, payload: Mapping[str, Any] | None = None) -> None:
        """Append to the log, at the time of the database's clock.

        :param key: the table it is about, or none.
        :param payload: JSON-safe data, without secrets.
        """
        row = {
            **identity_columns(self._identity),
            "event_type": event_type,
            "table_key": key,
            "payload": canonical_json(payload or {}),
        }

        def work(connection: Connection) -> None:
            connection.execute(self._events.insert(), {**row, "occurred_at": self._database.now(connection)})

        self._database.write(work)
