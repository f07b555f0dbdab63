"""One opened configuration: the warehouse it profiles, the store it writes to, and the rules between them."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.store import Ledger, Results, Store
from profilemesh_airflow.usecases.events import Announcer
from profilemesh_airflow.usecases.settings import (
    ConnectionResolver,
    care_by_entry,
    connection_of,
    drift_by_entry,
    identity_of,
    intervals_of,
    policy_of,
    retry_of,
    rules_of,
    selection_of,
    settings_by_entry,
    table_names_of,
)
from profilemesh_airflow.usecases.tables import ByTable, Tables, known_tables
from profilemesh_airflow.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from profilemesh_airflow.config import ConnectionConfig, LoadedConfig
    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.drift import DriftRules
    from profilemesh_airflow.core.ladder import Rules
    from profilemesh_airflow.core.plan import Identity, TableSettings
    from profilemesh_airflow.core.policy import Intervals, Policy
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.retry import Retry
    from profilemesh_airflow.usecases.settings import TableCare

T = TypeVar("T")


class Closeable(Protocol):
    """Something that holds connections."""

    def close(self) -> None:
        """Give them back."""


def _no_connections(conn_id: str) -> ConnectionSettings:
    raise ConfigError(f"connection {conn_id!r} can only be looked up where Airflow is installed")


class Workspace:
    """Opens what a use case needs, when it needs it. Use it as a context manager: it closes what it opened.

    :param config: the loaded configuration.
    :param connections: looks up ``conn_id``.
    """

    def __init__(self, config: LoadedConfig, connections: ConnectionResolver = _no_connections) -> None:
        self.config = config
        self._connections = connections
        self.identity: Identity = identity_of(config.model)
        self.policy: Policy = policy_of(config.model)
        self.intervals: Intervals = intervals_of(config.model)
        self.retry: Retry = retry_of(config.model)
        self.rules: Rules | None = rules_of(config.model)
        self.events = Announcer(self)
        self._opened = ExitStack()

    @cached_property
    def tables(self) -> Tables:
        """Which tables the configuration means."""
        model, directory = self.config.model, self.config.path.parent
        # What patterns mean may depend on files beside the configuration.
        if any(table.is_pattern for table in model.profiling.tables):
            return Tables(selection_of(model, directory))
        return Tables(self._derived("selection", lambda: selection_of(model, directory)))

    @cached_property
    def refs(self) -> tuple[TableRef, ...]:
        """The tables that are known without the profiled database, in the order of the configuration."""
        return known_tables(self)

    @cached_property
    def settings(self) -> Mapping[TableRef, TableSettings]:
        """What is computed for each table."""
        return ByTable(self.tables, self._derived("settings", lambda: settings_by_entry(self.config.model)))

    @cached_property
    def care(self) -> Mapping[TableRef, TableCare]:
        """How each table is treated, whatever is computed of it."""
        return ByTable(self.tables, self._derived("care", lambda: care_by_entry(self.config.model)))

    @cached_property
    def drift(self) -> Mapping[TableRef, DriftRules]:
        """How the drift of each table is judged."""
        return ByTable(self.tables, self._derived("drift", lambda: drift_by_entry(self.config.model)))

    @cached_property
    def source_settings(self) -> ConnectionSettings:
        """How to reach the profiled database."""
        return self.connection(self.config.model.source)

    @cached_property
    def storage_settings(self) -> ConnectionSettings:
        """How to reach the store."""
        return self.connection(self.config.model.storage.connection)

    def _derived(self, what: str, work_out: Callable[[], T]) -> T:
        """What follows from the configuration alone: a configuration that is loaded stays so for many a workspace."""
        known = self.config.derived
        if what not in known:
            known[what] = work_out()
        value: T = known[what]
        return value

    def connection(self, written: ConnectionConfig) -> ConnectionSettings:
        """How to reach a database of the configuration.

        :raises ConfigError: it names a connection that does not exist.
        """
        return connection_of(written, self._connections)

    def keep_open(self, resource: Closeable) -> None:
        """Have something closed together with this."""
        self._opened.callback(resource.close)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The profiled database."""
        return Warehouse(self.source_settings)

    @cached_property
    def store(self) -> Store:
        """The results store, as it is: it may not exist yet."""
        model = self.config.model
        return Store(self.storage_settings, names=table_names_of(model), create_tables=model.storage.create_tables)

    def redact(self, text: str) -> str:
        """``text`` on one line, without a secret of either database."""
        return self.storage_settings.redact(self.source_settings.redact(text))

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of this configuration, in a store that is ready to be written."""
        return self.store.ledger(self.identity, self.policy)

    @cached_property
    def results(self) -> Results:
        """The results of this configuration, and those of the earlier integration; reading them makes no store."""
        return self.store.results(self.identity, self.refs)

    def close(self) -> None:
        """Give back every connection."""
        for name in ("warehouse", "store"):
            if name in self.__dict__:
                self.__dict__[name].close()
        self._opened.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
