"""The profiled database, as the rest of the package sees it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.core.selection import ListedTable
from profilemesh_airflow.exceptions import (
    ConfigError,
    NotBuiltError,
    ProfileError,
    WarehouseError,
    WarehouseUnavailableError,
)
from profilemesh_airflow.warehouse.deadline import Deadline
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.engine import connect
from profilemesh_airflow.warehouse.errors import connection_error, driver_message
from profilemesh_airflow.warehouse.lanes import Lanes
from profilemesh_airflow.warehouse.reading import Reading
from profilemesh_airflow.warehouse.strategy import Means
from profilemesh_airflow.warehouse.watermarks import RuledVersions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import TableInfo, TableSettings
    from profilemesh_airflow.core.profile import TableProfile
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.core.version import VersionRule


_USUAL = Means()


class Warehouse:
    """Reads one profiled database (and, where the server has several, those that tables name); never writes.

    Nothing is opened before the first question. Use it as a context manager, or call :meth:`close`.

    :param settings: where it is.
    :raises NotBuiltError: for a kind of database that this release cannot read.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        if settings.type not in DIALECTS:
            raise NotBuiltError(
                f"source.type {settings.type!r} is not supported yet; this release reads {', '.join(sorted(DIALECTS))}"
            )
        self._settings = settings
        self._dialect = DIALECTS[settings.type]
        self._engines: dict[str | None, Engine] = {}
        self._unusable: dict[str | None, str] = {}
        self._keeps = False
        self._kept: dict[str | None, Connection] = {}

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        while self._engines:
            self._engines.popitem()[1].dispose()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Ask all that is asked in this context by one connection to each database, as long as no question fails.

        Some databases take seconds to make a connection, and SQLite reads the schema anew in each.
        """
        self._keeps = True
        try:
            yield
        finally:
            self._keeps = False
            while self._kept:
                self._kept.popitem()[1].close()

    def tables(self, databases: Iterable[str | None] = (None,)) -> list[ListedTable]:
        """Every table and view that is the user's own, in one query per database.

        :param databases: as the configuration names them; none is the source's own.
        :raises WarehouseError: one of them cannot be asked. A part of the answer would pass for the whole.
        :raises ConfigError: one of them is named, and the source has no other than its own.
        """
        found: list[ListedTable] = []
        for database in databases:
            if database is not None and not self._dialect.several_databases:
                raise ConfigError(f"profiling.tables: {self._settings.place} is one database: remove `database`")
            with self._connection(database or self._settings.database) as connection:
                default = self._settings.schema or connection.dialect.default_schema_name
                found += [
                    ListedTable(database, schema, table, kind, schema == default)
                    for schema, table, kind in self._dialect.tables(connection)
                ]
        return found

    def tags(self, infos: Iterable[TableInfo]) -> dict[TableRef, frozenset[str] | None]:
        """The tags of tables, in one query per database; none where the database has no such thing.

        :raises WarehouseError: one of the databases cannot be asked.
        """
        by_ref = {info.ref: info for info in infos}
        found: dict[TableRef, frozenset[str] | None] = {}
        for database, refs in self._by_database(by_ref).items():
            with self._connection(database) as connection:
                tags = self._dialect.tags(connection)
            for ref in refs:
                _, schema, name = self.place(by_ref[ref])
                found[ref] = None if tags is None else tags.get((schema or "", name), frozenset())
        return found

    def place(self, info: TableInfo) -> tuple[str | None, str | None, str]:
        """Where a table is, whatever it is called in the configuration: database, schema and name."""
        return self._database(info.ref), info.details["schema"], info.details["name"]

    def catalog(self, refs: Sequence[TableRef]) -> dict[TableRef, TableInfo]:
        """What exists of ``refs``, in one query per database; a missing table is absent (see :meth:`why_missing`).

        :raises WarehouseError: when the database cannot be reached. A database that a table names, and that this login
            cannot open though it can open its own, only makes its tables missing, unless that passes.
        """
        found: dict[TableRef, TableInfo] = {}
        for database, some in self._by_database(refs).items():
            try:
                with self._connection(database) as connection:
                    found |= self._dialect.catalog(connection, some, self._settings.schema)
            except WarehouseError as error:
                if database == self._settings.database or isinstance(error, WarehouseUnavailableError):
                    raise
                with self._connection(self._settings.database):
                    self._unusable[database] = str(error)
        return {ref: found[ref] for ref in refs if ref in found}

    def unreadable(self, infos: Iterable[TableInfo]) -> list[TableRef]:
        """The tables that this login may not read, in one query per database, where the database tells.

        :raises WarehouseError: a database cannot be asked.
        """
        by_ref = {info.ref: info for info in infos}
        found: list[TableRef] = []
        for database, refs in self._by_database(by_ref).items():
            with self._connection(database) as connection:
                found += self._dialect.unreadable(connection, [by_ref[ref] for ref in refs])
        return found

    def why_missing(self, ref: TableRef) -> str:
        """Why :meth:`catalog` did not find a table, in a sentence that says what to do."""
        reason = self._unusable.get(self._database(ref)) or self._dialect.why_missing(ref)
        return f"table {ref} was not found in {self._settings.place}: {reason}"

    def versions(
        self, infos: Sequence[TableInfo], rules: Mapping[TableRef, VersionRule] = MappingProxyType({})
    ) -> dict[TableRef, str | None]:
        """The data version of each table in one query per database, readable; none where it is unknown.

        Equal texts mean: as far as the database tells, no row has changed. What a database cannot tell is written at
        its dialect.

        :param rules: the tables whose version is found by a rule of the user's instead; one that fails leaves its table
            alone without a version.
        :raises WarehouseError: when the database cannot be reached.
        """
        by_ref = {info.ref: info for info in infos}
        versions: dict[TableRef, str | None] = {}
        for database, some in self._by_database(by_ref).items():
            ruled = [by_ref[ref] for ref in some if ref in rules]
            usual = [by_ref[ref] for ref in some if ref not in rules]
            if usual:
                with self._connection(database) as connection:
                    versions |= self._dialect.versions(connection, usual)
            if ruled:
                here = replace(self._settings, database=database)
                reader = RuledVersions(partial(self._new_connection, database), partial(driver_message, settings=here))
                versions |= reader.read(ruled, rules)
        return versions

    def profile(
        self,
        info: TableInfo,
        settings: TableSettings,
        timeout: timedelta | None = None,
        means: Means = _USUAL,
        only: Collection[str] | None = None,
    ) -> TableProfile:
        """Compute the metrics of ``settings`` for a table as :meth:`catalog` gave it.

        :param timeout: as in :meth:`reading`, and ``means`` likewise.
        :param only: the columns to profile; none means all.
        :raises NotBuiltError: for a sample of a table whose rows cannot be told apart.
        :raises DriverMissingError: when ``means`` need what is not installed.
        :raises TableMissingError: when the table is gone.
        :raises ProfileError: when it cannot be profiled at all.
        :raises ProfileTimeoutError: when it takes longer than ``timeout``.
        :raises WarehouseError: when the database cannot be reached.
        """
        with self.reading(info, timeout, means) as reading:
            return reading.profile(settings, only)

    @contextmanager
    def reading(self, info: TableInfo, timeout: timedelta | None = None, means: Means = _USUAL) -> Iterator[Reading]:
        """A table at one moment, for several questions.

        :param timeout: how long all of it may take; then what is running is stopped, on the server too.
        :param means: which way profiles are computed, and how much memory that may take.
        :raises ProfileError: when the table cannot be read.
        :raises WarehouseError: when the database cannot be reached.
        """
        deadline = Deadline(str(info.ref), timeout)
        if "error" in info.details:
            raise ProfileError(f"{info.ref} cannot be profiled: {info.details['error']}")
        database = self._database(info.ref)
        here = replace(self._settings, database=database)
        with Lanes(self._engine(database), self._dialect, here, self._dialect.lanes(info), deadline) as lanes:
            yield Reading(lanes, self._dialect, info, means, self._dialect.bytes_at_most(info, here))

    def _database(self, ref: TableRef) -> str | None:
        if not self._dialect.several_databases:
            return self._settings.database
        return ref.database or self._settings.database

    def _by_database(self, refs: Iterable[TableRef]) -> dict[str | None, list[TableRef]]:
        grouped: defaultdict[str | None, list[TableRef]] = defaultdict(list)
        for ref in refs:
            grouped[self._database(ref)].append(ref)
        return grouped

    def _engine(self, database: str | None) -> Engine:
        if database not in self._engines:
            self._engines[database] = connect(replace(self._settings, database=database))
        return self._engines[database]

    @contextmanager
    def _connection(self, database: str | None) -> Iterator[Connection]:
        """For one question, after which it is kept for the next one where they are asked together.

        Its transaction ends with the question: a moment that is held costs a server, and makes writers of SQLite wait.
        """
        with self._errors(database), ExitStack() as stack:
            connection = self._kept.pop(database, None) or self._engine(database).connect()
            stack.callback(connection.close)
            yield connection
            if self._keeps:
                connection.rollback()
                stack.pop_all()
                self._kept[database] = connection

    @contextmanager
    def _new_connection(self, database: str | None) -> Iterator[Connection]:
        """For what may spoil a transaction."""
        with self._errors(database), self._engine(database).connect() as connection:
            yield connection

    @contextmanager
    def _errors(self, database: str | None) -> Iterator[None]:
        """Those of the driver, as they are told."""
        try:
            yield
        except DBAPIError as error:
            raise connection_error(error, replace(self._settings, database=database)) from error
