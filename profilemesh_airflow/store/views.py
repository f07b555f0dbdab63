"""Reading open changes and baselines, a whole configuration's at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from profilemesh_airflow.store.reconcile import LedgerView
from profilemesh_airflow.store.rows import baseline_of, belongs_to, entry_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Column, Table
    from sqlalchemy.engine import Connection, RowMapping

    from profilemesh_airflow.core.diff import Baseline
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.schema import Tables

#: More keys than this are not sent along: reading every row of the configuration is cheaper.
MOST_KEYS = 1000


class ViewReader:
    """Reads the ledger of one configuration. Every method is one query, however many tables there are.

    ``keys`` limits a method to these tables; ``lock`` keeps the rows from others until the transaction ends.
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
        rows = self._rows(connection, changes, changes.c.sequence, keys, lock, changes.c.open_slot == 1)
        return [(entry_of(row), row["revision"]) for row in rows]

    def baselines(
        self, connection: Connection, keys: Collection[str] | None = None, *, lock: bool = False
    ) -> dict[str, Baseline]:
        """The baselines by table key."""
        state = self._tables.state
        rows = self._rows(connection, state, state.c.table_key, keys, lock)
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
        lock: bool,
        *conditions: Any,
    ) -> Iterator[RowMapping]:
        query = select(table).where(belongs_to(table, self._identity), *conditions).order_by(order)
        if keys is not None and len(keys) <= MOST_KEYS:
            query = query.where(table.c.table_key.in_(list(keys)))
        if lock:
            query = query.with_for_update()
        wanted = keys if keys is None else frozenset(keys)
        for row in connection.execute(query).mappings():
            if wanted is None or row["table_key"] in wanted:
                yield row
