"""What is in the store's tables, read past the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, select

from profilemesh_airflow.store import TableNames
from profilemesh_airflow.store.engine import make_engine
from profilemesh_airflow.store.schema import make_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Identity


@dataclass(frozen=True)
class Rows:
    """Every row of one configuration: changes by id, baselines by table, runs by id and their number of metrics."""

    changes: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, Any]]
    runs: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, int]

    def open(self, name: str) -> Mapping[str, Any] | None:
        """The change of a table that is not closed, or none; never two."""
        found = [row for row in self.changes.values() if row["table_key"] == name and row["state"] != "closed"]
        assert len(found) <= 1, f"two open changes: {found}"
        return found[0] if found else None

    def of(self, name: str) -> tuple[object, ...]:
        """All that the ledger has of a table, to see whether any of it was written."""
        return [row for row in self.changes.values() if row["table_key"] == name], self.baselines.get(name)


class Reader:
    """Reads the rows of a store."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.engine = make_engine(settings)
        tables, own = make_tables(TableNames()), bindparam("environment")
        runs, results = tables.runs, tables.results
        self._by_key = {
            key: select(table).where(table.c.environment == own)
            for table, key in ((tables.changes, "change_id"), (tables.state, "table_key"), (runs, "run_id"))
        }
        self._metrics = (
            select(results.c.run_id, func.count())
            .join(runs, and_(runs.c.run_id == results.c.run_id, runs.c.table_key == results.c.table_key))
            .where(runs.c.environment == own)
            .group_by(results.c.run_id)
        )

    def read(self, identity: Identity) -> Rows:
        own = {"environment": identity.environment}
        with self.engine.connect() as connection:
            found = (
                {row[key]: dict(row) for row in connection.execute(query, own).mappings()}
                for key, query in self._by_key.items()
            )
            return Rows(*found, dict(connection.execute(self._metrics, own).all()))

    def close(self) -> None:
        self.engine.dispose()
