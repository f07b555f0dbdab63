"""Reading open changes and baselines, a whole configuration's at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from profilemesh_airflow.store.locks import MOST_KEYS, lock_changes
from profilemesh_airflow.store.reconcile import LedgerView
from profilemesh_airflow.store.rows import baseline_of, belongs_to, entry_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Column, Table
    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.diff import Baseline
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.schema import Tables


class ViewReader:
    """Reads the ledger of one configuration. Every method is one query, however many tables there are.

    ``keys`` limits a method to these tables, of which more than :data:`MOST_KEYS` are not sent along: reading every row
    of the configuration is cheaper. ``lock`` keeps the rows from others until the transaction ends.
    """

    def __init__(self, database: Database, tables: Tables, identity: Identity) -> None:
        self._database = database
        self._tables = tables
        self._identity = identity

    def open_rows(
        self, connection: Connection, keys: Collection[str] | None = None, *, lock: bool = False
    ) -> list[tuple[LedgerEntry, int]]:
        """The open changes and the revisions of their rows, oldest first."""
        changes = self._tables.changes
        is_open = changes.c.open_slot == 1
        if not lock:
            rows = self._rows(connection, changes, changes.c.sequence, keys, is_open)
            return [(entry_of(row), row["revision"]) for row in rows]
        place = changes.c.sequence, changes.c.table_key
        places = self._rows(connection, changes, changes.c.sequence, keys, is_open, columns=place)
        locked = lock_changes(connection, changes, [row["sequence"] for row in places])
        return [(entry_of(row), row["revision"]) for row in locked if row["open_slot"] == 1]

    def baselines(
        self, connection: Connection, keys: Collection[str] | None = None, *, lock: bool = False
    ) -> dict[str, Baseline]:
        """The baselines by table key."""
        state = self._tables.state
        rows = self._rows(connection, state, state.c.table_key, keys, lock=lock)
        return {row["table_key"]: baseline_of(row) for row in rows}

    def view(self, connection: Connection) -> LedgerView:
        """Open changes and baselines together."""
        rows = self.open_rows(connection)
        return self.view_of(connection, rows, self.baselines(connection))

    def view_of(
        self, connection: Connection, rows: list[tuple[LedgerEntry, int]], baselines: dict[str, Baseline]
    ) -> LedgerView:
        """A view of what was read, at the present moment of the database's clock."""
        return LedgerView(
            now=self._database.now(connection),
            baselines=baselines,
            entries={entry.key: entry for entry, _ in rows},
            revisions={entry.change_id: revision for entry, revision in rows},
        )

    def _rows(
        self,
        connection: Connection,
        table: Table,
        order: Column[Any],
        keys: Collection[str] | None,
        *conditions: Any,
        columns: tuple[Column[Any], ...] = (),
        lock: bool = False,
    ) -> Iterator[dict[str, Any]]:
        query = select(*columns or (table,)).where(belongs_to(table, self._identity), *conditions).order_by(order)
        if keys is not None and len(keys) <= MOST_KEYS:
            query = query.where(table.c.table_key.in_(list(keys)))
        if lock:
            query = query.with_for_update()
        wanted = keys if keys is None else frozenset(keys)
        found = connection.execute(query)
        names = tuple(found.keys())
        for values in found.fetchall():
            row = dict(zip(names, values, strict=True))
            if wanted is None or row["table_key"] in wanted:
                yield row
