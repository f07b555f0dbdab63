"""The store as a whole: open it, migrate it, and hand out the ledger and the results."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store.adopt import Adoption, EarlierResults, adopt, count_results
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.events import EventLog
from profilemesh_airflow.store.found import FoundTables
from profilemesh_airflow.store.ledger import Ledger
from profilemesh_airflow.store.legacy import LegacyTables, Owners, find_legacy
from profilemesh_airflow.store.migrate import Shape, check_complete, check_not_newer, find_shape, is_current, upgrade
from profilemesh_airflow.store.reconcile import LedgerView
from profilemesh_airflow.store.results import Results
from profilemesh_airflow.store.rights import try_writing
from profilemesh_airflow.store.schema import HEAD, TableNames, Tables, make_tables
from profilemesh_airflow.store.views import ViewReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef


class Store:
    """The project's own tables in one database. Nothing is connected before it is needed.

    A table that the earlier integration made under a configured name is never touched: this package's own table is then
    called the same with ``_airflow`` at its end.

    :param settings: the database; for PostgreSQL, ``schema`` says in which of its schemas the tables are. To MySQL and
        MariaDB a schema is a database: the tables are in ``schema``, or else in ``database``.
    :param names: what the tables are called.
    :param create_tables: whether :meth:`ensure` may make or migrate them.
    :raises DriverMissingError: no driver is installed for the database.
    :raises NotBuiltError: this release cannot keep results in such a database.
    """

    def __init__(
        self, settings: ConnectionSettings, names: TableNames | None = None, create_tables: bool = True
    ) -> None:
        self._database = Database(settings)
        self._schema = settings.schema if self._database.dialect != "sqlite" else None
        self._names = names or TableNames()
        self._create_tables = create_tables
        self._found = self._database.found = FoundTables(self._names, self._look_for_tables)

    def version(self) -> tuple[str | None, str]:
        """The schema revision that the database is at, none before the first, and this release's own."""
        if not self._database.exists():
            return None, HEAD
        return self._shape().revision, HEAD

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the tables to this release's schema, whatever ``create_tables`` says.

        Safe when several processes do it at once, and when there is nothing to do.

        :returns: the schema revision before, and the one now.
        :raises StoreError: the store is at the schema of a newer release, cannot be reached or may not be changed.
        """
        before = upgrade(self._database, self._names, self._schema)
        return before.revision, HEAD

    def earlier(self) -> EarlierResults | None:
        """The earlier integration's results, where they are in this database and not adopted; or none."""
        if not self._database.exists():
            return None
        return self._database.read(lambda connection: count_results(connection, self._names, self._schema))

    def adopt(self, identity: Identity, refs: Iterable[TableRef] = ()) -> Adoption | None:
        """Make the earlier integration's results this store's own: copy them, rename its tables, give ours their names.

        The store is upgraded first. A process that has found our tables under their former names goes on.

        :param identity: whose source the runs get; each keeps its own environment.
        :param refs: the tables of the plan, by which the runs are assigned.
        :returns: what was done, or none where there is nothing to adopt.
        :raises StoreError: a table is in the way, or the database cannot be reached or may not be changed.
        """
        self.upgrade()
        return adopt(self._database, self._names, self._schema, identity.source, Owners(refs))

    def ensure(self) -> None:
        """Make sure that the tables are there, in this release's schema.

        :raises StoreError: they are not and ``create_tables`` is off, or the store cannot be reached or is newer.
        """
        self._ready()

    def peek(self, identity: Identity) -> LedgerView:
        """Baselines and open changes, read without writing anything: a store that is not there yet holds none.

        :raises StoreError: the store cannot be reached, or is at another release's schema.
        """
        tables = self._look()
        if tables is not None:
            return self._database.read(ViewReader(self._database, tables, identity).view)
        if not self._database.exists():
            return LedgerView(datetime.now(timezone.utc))
        return LedgerView(self._database.read(self._database.now))

    def ledger(self, identity: Identity, policy: Policy) -> Ledger:
        """The ledger of one environment and source; the store is made ready first, as :meth:`ensure` does."""
        return Ledger(self._database, self._ready(), identity, policy)

    def peek_ledger(self, identity: Identity, policy: Policy) -> Ledger | None:
        """The ledger to be read, without writing anything; none where there is no store yet.

        :raises StoreError: the store cannot be reached, or is at another release's schema.
        """
        tables = self._look()
        return None if tables is None else Ledger(self._database, tables, identity, policy)

    def results(self, identity: Identity, refs: Iterable[TableRef] = ()) -> Results:
        """The profiles of one environment and source, read without writing anything, as :meth:`peek` does.

        :param refs: the tables of the plan: their history includes what the earlier integration found out about them.
        """
        return Results(self._database, self._look, self._find_legacy, identity, refs)

    def events(self, identity: Identity) -> EventLog:
        """The event log of one environment and source; the store is made ready first, as :meth:`ensure` does."""
        return EventLog(self._database, self._ready().events, identity)

    def peek_events(self, identity: Identity) -> EventLog | None:
        """The event log to be read, without writing anything; none where there is no store yet.

        :raises StoreError: the store cannot be reached, or is at another release's schema.
        """
        tables = self._look()
        return None if tables is None else EventLog(self._database, tables.events, identity)

    def check_writable(self) -> None:
        """Whether the store may be written; nothing is changed.

        :raises StoreError: it may not, or is at another release's schema.
        """
        tables = self._look()
        if tables:
            self._database.write(lambda connection: try_writing(connection, tables))

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready(self) -> Tables:
        tables = self._find_tables()
        if tables is not None:
            return tables
        if not self._create_tables:
            raise StoreError(
                f"the results store ({self._database.settings.place}) is not at this release's schema and "
                "storage.create_tables is false; run `profilemesh-airflow store upgrade`"
            )
        self._found.tables = make_tables(upgrade(self._database, self._names, self._schema).names, self._schema)
        return self._found.tables

    def _look(self) -> Tables | None:
        """The tables, or none where there are none yet.

        :raises StoreError: they are in another release's schema.
        """
        tables = self._find_tables()
        if tables is not None:
            return tables
        revision, _ = self.version()
        if revision not in (None, HEAD):
            raise StoreError(
                f"the results store ({self._database.settings.place}) is at the older schema {revision}, and only "
                "looking must not migrate it; run `profilemesh-airflow store upgrade`"
            )
        # Somebody may have made them since.
        return self._find_tables() if revision else None

    def _find_legacy(self, connection: Connection) -> LegacyTables | None:
        """The tables of the earlier integration; ours have their configured names where it has none."""
        return find_legacy(connection, self._names, self._schema) if self._found.renameable else None

    def _find_tables(self) -> Tables | None:
        """The tables, if the database has them in this release's schema."""
        if self._found.tables is None and self._database.exists():
            self._found.tables = self._look_for_tables()
        return self._found.tables

    def _look_for_tables(self) -> Tables | None:
        usual = make_tables(self._names, self._schema)
        if self._database.read(lambda connection: is_current(connection, usual)):
            return usual

        shape, again = self._shape(), self._shape()
        while again != shape:
            # Another process renamed tables between two of the questions that one answer takes.
            shape, again = again, self._shape()
        check_not_newer(shape.revision)
        if shape.revision != HEAD:
            return None
        check_complete(shape)
        return make_tables(shape.names, self._schema)

    def _shape(self) -> Shape:
        return self._database.read(lambda connection: find_shape(connection, self._names, self._schema))
