"""Rows of the ledger's table: locking and writing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, select, update

from profilemesh_airflow.store.database import ConflictError
from profilemesh_airflow.store.rows import belongs_to, change_columns, changed_columns, entry_of, new_change_columns
from profilemesh_airflow.store.views import MOST_KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy.engine import Connection, CursorResult, RowMapping

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.reconcile import Writes
    from profilemesh_airflow.store.schema import Tables


class ChangeRows:
    """The changes of one configuration, inside the transaction that each method is given."""

    def __init__(self, tables: Tables, identity: Identity) -> None:
        self._changes = changes = tables.changes
        self._state = tables.state
        self._identity = identity
        # Built once, as SQLAlchemy need not look again at a statement that it has compiled before.
        is_open = and_(belongs_to(changes, identity), changes.c.table_key == bindparam("key"), changes.c.open_slot == 1)
        self._lock_open = select(changes).where(is_open).with_for_update()
        # Whose it is, is looked at afterwards: with that in the query, PostgreSQL may read all that belongs to us.
        self._lock_id = select(changes).where(changes.c.change_id == bindparam("id")).with_for_update()
        self._save = update(changes).where(
            changes.c.change_id == bindparam("its_id"),
            changes.c.token == bindparam("its_token"),
            changes.c.revision == bindparam("its_revision"),
        )

    def lock_open(self, connection: Connection, key: str) -> tuple[LedgerEntry, int] | None:
        """The open change of a table and its row's revision, locked until the transaction ends; or none."""
        return self._found(connection.execute(self._lock_open, {"key": key}))

    def lock(self, connection: Connection, change_id: str) -> tuple[LedgerEntry, int] | None:
        """The change with this id and its row's revision, locked until the transaction ends; or none."""
        return self._found(connection.execute(self._lock_id, {"id": change_id}))

    def by_ids(self, connection: Connection, change_ids: Collection[str], *, lock: bool = False) -> list[LedgerEntry]:
        """The changes with these ids, oldest first."""
        changes = self._changes
        found: list[tuple[int, LedgerEntry]] = []
        for ids in _parts(sorted(change_ids)):
            query = select(changes).where(changes.c.change_id.in_(ids)).order_by(changes.c.sequence)
            rows = connection.execute(query.with_for_update() if lock else query).mappings()
            found += [(row["sequence"], entry_of(row)) for row in rows if self._is_ours(row)]
        return [entry for _, entry in sorted(found, key=lambda each: each[0])]

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

    def save(self, connection: Connection, found: tuple[LedgerEntry, int], after: LedgerEntry) -> None:
        """Make the steps of one change durable, provided that nobody else has moved it.

        :param found: the change before its steps, and the revision of its row.
        :raises ConflictError: somebody has.
        """
        before, revision = found
        own = {"its_id": before.change_id, "its_token": before.token, "its_revision": revision}
        changed = {**changed_columns(before, after), "revision": revision + 1}
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
        for ids in _parts(writes.confirmed):
            touched = update(changes).where(changes.c.change_id.in_(ids)).values(revision=changes.c.revision + 1)
            connection.execute(touched)
        for keys in _parts(writes.forgotten):
            connection.execute(state.delete().where(belongs_to(state, self._identity), state.c.table_key.in_(keys)))

    def update(self, connection: Connection, entries: Iterable[LedgerEntry]) -> None:
        """Write changes whose rows are locked, all in one go."""
        rows = [{**change_columns(entry), "wanted_id": entry.change_id} for entry in entries]
        if rows:
            changes = self._changes
            statement = update(changes).where(changes.c.change_id == bindparam("wanted_id"))
            connection.execute(statement.values(revision=changes.c.revision + 1), rows)

    def _found(self, rows: CursorResult[Any]) -> tuple[LedgerEntry, int] | None:
        row = rows.mappings().first()
        return (entry_of(row), row["revision"]) if row is not None and self._is_ours(row) else None

    def _is_ours(self, row: RowMapping) -> bool:
        return bool(row["environment"] == self._identity.environment and row["source_name"] == self._identity.source)


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), MOST_KEYS):
        yield items[start : start + MOST_KEYS]
