"""An event log in a database of its own, beside the results store or far from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import MetaData, create_engine, inspect
from sqlalchemy.pool import NullPool

from profilemesh_airflow.drivers import APPLICATION_NAME, CONNECT_TIMEOUT, snowflake_url
from profilemesh_airflow.exceptions import NotBuiltError, StoreError
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.engine import make_engine
from profilemesh_airflow.store.events import EventLog
from profilemesh_airflow.store.schema import make_events

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Identity

_KINDS = ("mysql", "postgres", "snowflake", "sqlite")


class EventStore:
    """One table of events, made where it is missing. Nothing is connected before it is needed.

    :param settings: the database; ``schema`` says in which of its schemas the table is.
    :param table: its name.
    :raises NotBuiltError: this release cannot write events into such a database.
    :raises DriverMissingError: no driver is installed for it.
    """

    def __init__(self, settings: ConnectionSettings, table: str) -> None:
        self._database = Database(settings, _engine(settings))
        schema = settings.schema if self._database.dialect != "sqlite" else None
        self._events = make_events(table, MetaData(schema=schema))
        if self._database.dialect == "snowflake":
            # It has none on its usual tables, and refuses the statement.
            self._events.indexes.clear()
        self._ready = False

    def events(self, identity: Identity) -> EventLog:
        """The log of one environment and source; its table is made first, where it is missing.

        :raises StoreError: the database cannot be reached, or the table may not be made.
        """
        if not self._ready and not self._database.read(self._is_there):
            try:
                self._database.write(lambda connection: self._events.create(connection, checkfirst=True))
            except StoreError:
                # Another process may have made it at the same moment.
                if not self._database.read(self._is_there):
                    raise
        self._ready = True
        return EventLog(self._database, self._events, identity)

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def _is_there(self, connection: Connection) -> bool:
        return inspect(connection).has_table(self._events.name, schema=self._events.schema)


def _engine(settings: ConnectionSettings) -> Engine:
    if settings.type not in _KINDS:
        raise NotBuiltError(
            f"events cannot be written into a database of type {settings.type}; use {', '.join(_KINDS)}"
        )
    if settings.type != "snowflake":
        return make_engine(settings)
    return create_engine(
        snowflake_url(settings),
        connect_args={"application": APPLICATION_NAME, "login_timeout": CONNECT_TIMEOUT, **settings.extra_params},
        poolclass=NullPool,
        hide_parameters=True,
        future=True,
    )
