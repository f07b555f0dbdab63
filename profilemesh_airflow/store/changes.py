"""Rows of the ledger's table: reading and writing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, select, update

from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store.database import ConflictError
from profilemesh_airflow.store.locks import lock_changes, parts
from profilemesh_airflow.store.rows import belongs_to, change_columns, changed_columns, entry_of, new_change_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection, RowMapping
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.reconcile import Writes
    from profilemesh_airflow.store.schema import Tables


class Found(NamedTuple):
    """A change as it was read: the number and the revision of its row, and the time by the database's clock."""

    entry: LedgerEntry
    sequence: int
    revision: int
    now: datetime


class ChangeRows:
    """The changes of one configuration, inside the transaction that each method is given.

    :param clock: SQL for the time by the database's clock.
    """

    def __init__(self, tables: Tables, identity: Identity, clock: ColumnElement[datetime]) -> None:
        self._changes = changes = tables.changes
        self._state = tables.state
        self._identity = identity
        # Built once, as SQLAlchemy need not look again at a statement that it has compiled before.
        is_open = and_(belongs_to(changes, identity), changes.c.table_key == bindparam("key"), changes.c.open_slot == 1)
        found = select(changes, clock.label("now"))
        self._open_of = found.where(is_open)
        #: Reads what :meth:`found` takes, and where it is looked at whose the change is: with that in the query,
        #: PostgreSQL may read all that belongs to us.
        self.by_id = found.where(changes.c.change_id == bindparam("change"))
        self._save = update(changes).where(
            changes.c.sequence == bindparam("its_sequence"),
            changes.c.token == bindparam("its_token"),
            changes.c.revision == bindparam("its_revision"),
        )

    def open_of(self, connection: Connection, key: str) -> Found | None:
        """The open change of a table, or none. It is not locked: :meth:`save` sees whether somebody came between."""
        return self.found(connection.execute(self._open_of, {"key": key}).mappings().first())

    def with_id(self, connection: Connection, change_id: str) -> Found | None:
        """The change with this id, or none. It is not locked either."""
        return self.found(connection.execute(self.by_id, {"change": change_id}).mappings().first())

    def found(self, row: RowMapping | None) -> Found | None:
        """The change that was read, if it is one of ours."""
        if row is None or not self._is_ours(row):
            return None
        return Found(entry_of(row), row["sequence"], row["revision"], row["now"])

    def by_ids(self, connection: Connection, change_ids: Collection[str], *, lock: bool = False) -> list[LedgerEntry]:
        """The changes with these ids, oldest first."""
        changes = self._changes
        found: list[RowMapping] = []
        for ids in parts(sorted(change_ids)):
            query = select(*(changes.c.sequence,) if lock else (changes,)).where(changes.c.change_id.in_(ids))
            found += connection.execute(query).mappings()
        if lock:
            found = lock_changes(connection, changes, (row["sequence"] for row in found))
        return [entry_of(row) for row in sorted(found, key=lambda row: row["sequence"]) if self._is_ours(row)]

    def newest(self, connection: Connection, key: str, limit: int) -> list[LedgerEntry]:
        """The latest changes of a table, newest first."""
        changes = self._changes
        query = (
            select(changes)
            .where(belongs_to(changes, self._identity), changes.c.table_key == key)
            .order_by(changes.c.sequence.desc())
            .limit(limit)
        )
        return [entry_of(row) for row in connection.execute(query).mappings()]

    def tables(self, connection: Connection) -> list[TableRef]:
        """The tables that have a change, open or closed."""
        changes = self._changes
        names = changes.c.dataset_name, changes.c.schema_name, changes.c.database_name
        found = connection.execute(select(*names).where(belongs_to(changes, self._identity)).distinct())
        return [TableRef(*row) for row in found]

    def save(self, connection: Connection, found: Found, after: LedgerEntry) -> None:
        """Make the steps of one change durable, provided that nobody else has moved it since it was read.

        :param found: the change before its steps.
        :raises ConflictError: somebody has.
        """
        before = found.entry
        own = {"its_sequence": found.sequence, "its_token": before.token, "its_revision": found.revision}
        changed = {**changed_columns(before, after), "revision": found.revision + 1}
        if connection.execute(self._save, {**own, **changed}).rowcount != 1:
            raise ConflictError

    def write(self, connection: Connection, writes: Writes) -> None:
        """Write what a refresh decided; the rows are locked."""
        if writes.new:
            rows = [new_change_columns(entry, self._identity) for entry in writes.new]
            # In one order everywhere, so that two refreshes do not wait for each other crosswise.
            connection.execute(self._changes.insert(), sorted(rows, key=lambda row: row["table_key"]))
        self.update(connection, writes.moved)
        changes, state = self._changes, self._state
        for ids in parts(writes.confirmed):
            touched = update(changes).where(changes.c.change_id.in_(ids)).values(revision=changes.c.revision + 1)
            connection.execute(touched)
        for keys in parts(writes.forgotten):
            connection.execute(state.delete().where(belongs_to(state, self._identity), state.c.table_key.in_(keys)))

    def update(self, connection: Connection, entries: Iterable[LedgerEntry]) -> None:
        """Write changes whose rows are locked, all in one go."""
        rows = [{**change_columns(entry), "wanted_id": entry.change_id} for entry in entries]
        if rows:
            changes = self._changes
            statement = update(changes).where(changes.c.change_id == bindparam("wanted_id"))
            connection.execute(statement.values(revision=changes.c.revision + 1), rows)

    def _is_ours(self, row: RowMapping) -> bool:
        return bool(row["environment"] == self._identity.environment and row["source_name"] == self._identity.source)
