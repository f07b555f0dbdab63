"""The profiled database, as the rest of the package sees it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.exceptions import NotBuiltError, ProfileError, WarehouseError, WarehouseUnavailableError
from profilemesh_airflow.warehouse.deadline import Deadline
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.engine import connect
from profilemesh_airflow.warehouse.errors import connection_error
from profilemesh_airflow.warehouse.lanes import Lanes
from profilemesh_airflow.warehouse.partitions import check_supported
from profilemesh_airflow.warehouse.profiler import Profiler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import timedelta

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import TableInfo, TableSettings
    from profilemesh_airflow.core.profile import TableProfile
    from profilemesh_airflow.core.table import TableRef


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

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        while self._engines:
            self._engines.popitem()[1].dispose()

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

    def why_missing(self, ref: TableRef) -> str:
        """Why :meth:`catalog` did not find a table, in a sentence that says what to do."""
        reason = self._unusable.get(self._database(ref)) or self._dialect.why_missing(ref)
        return f"table {ref} was not found in {self._settings.place}: {reason}"

    def versions(self, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """The data version of each table in one query per database, readable; none where it is unknown.

        Equal texts mean: as far as the database tells, no row has changed. What a database cannot tell is written at
        its dialect.

        :raises WarehouseError: when the database cannot be reached.
        """
        by_ref = {info.ref: info for info in infos}
        versions: dict[TableRef, str | None] = {}
        for database, some in self._by_database(by_ref).items():
            with self._connection(database) as connection:
                versions |= self._dialect.versions(connection, [by_ref[ref] for ref in some])
        return versions

    def profile(self, info: TableInfo, settings: TableSettings, timeout: timedelta | None = None) -> TableProfile:
        """Compute the metrics of ``settings`` for a table as :meth:`catalog` gave it.

        :param timeout: how long all of it may take; then what is running is stopped, on the server too.
        :raises NotBuiltError: for settings that this release does not support.
        :raises TableMissingError: when the table is gone.
        :raises ProfileError: when it cannot be profiled at all.
        :raises ProfileTimeoutError: when it takes longer than ``timeout``.
        :raises WarehouseError: when the database cannot be reached.
        """
        deadline = Deadline(str(info.ref), timeout)
        check_supported(info, settings)
        if "error" in info.details:
            raise ProfileError(f"{info.ref} cannot be profiled: {info.details['error']}")
        database = self._database(info.ref)
        here = replace(self._settings, database=database)
        with Lanes(self._engine(database), self._dialect, here, self._dialect.lanes(info), deadline) as lanes:
            return Profiler(lanes, self._dialect, info, settings).profile()

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
        try:
            with self._engine(database).connect() as connection:
                yield connection
        except DBAPIError as error:
            raise connection_error(error, replace(self._settings, database=database)) from error
