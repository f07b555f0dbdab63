"""History that the earlier integration wrote, read from its own tables. Nothing but SELECT is ever sent to them.

Its tables have the configured names, which is why this package's own then have a suffix; see :mod:`.migrate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import column, func, inspect, select, table

from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store.history import COMPLETED, EARLIER, StoredProfile, StoredRun
from profilemesh_airflow.store.legacy_rows import Head, columns_from, heads_of, is_of_attempt, row_count_of, table_of
from profilemesh_airflow.store.migrate import column_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import Select
    from sqlalchemy.sql.expression import TableClause

    from profilemesh_airflow.core.profile import ColumnProfile
    from profilemesh_airflow.store.legacy_rows import Row
    from profilemesh_airflow.store.schema import TableNames

RUN_COLUMNS = (
    "run_id",
    "dataset_name",
    "schema_name",
    "profiled_at",
    "environment",
    "status",
    "row_count",
    "column_count",
)
METRIC_COLUMNS = (
    "run_id",
    "dataset_name",
    "schema_name",
    "column_name",
    "column_type",
    "metric_name",
    "metric_value",
    "profiled_at",
)


@dataclass(frozen=True)
class LegacyTables:
    """The two tables of the earlier integration, without the types of their columns: values come as they are stored.

    :param ordered: the metric rows are numbered in the order in which they were written.
    """

    runs: TableClause
    results: TableClause
    ordered: bool

    def metric_rows(self) -> Select[Any]:
        """The metric rows, in the order in which they were written as far as that is known."""
        rows = self.results.c
        order = (rows.id,) if self.ordered else (rows.profiled_at, rows.column_name, rows.metric_name)
        return select(*(rows[name] for name in METRIC_COLUMNS)).order_by(*order)

    def run_rows(self) -> Select[Any]:
        """The run rows."""
        return select(*(self.runs.c[name] for name in RUN_COLUMNS))


def find_legacy(connection: Connection, names: TableNames, schema: str | None) -> LegacyTables | None:
    """The tables of the earlier integration, recognised by the columns they have, and by those they lack; or none."""
    inspector = inspect(connection)
    runs = column_names(inspector, names.runs, schema)
    results = column_names(inspector, names.results, schema)
    if "table_key" in runs | results or not (runs.issuperset(RUN_COLUMNS) and results.issuperset(METRIC_COLUMNS)):
        return None
    ordered = "id" in results
    return LegacyTables(
        table(names.runs, *map(column, RUN_COLUMNS), schema=schema),
        table(names.results, *map(column, (*METRIC_COLUMNS, "id") if ordered else METRIC_COLUMNS), schema=schema),
        ordered,
    )


def fetch(connection: Connection, query: Select[Any]) -> list[Row]:
    """All rows of a query."""
    return [dict(row) for row in connection.execute(query).mappings()]


class Owners:
    """Which table of the plan the earlier integration meant, which knew a schema and a name and nothing above.

    :param refs: the tables of the plan.
    """

    def __init__(self, refs: Iterable[TableRef]) -> None:
        self._by_key = {ref.key: ref for ref in refs}
        self._by_name: dict[TableRef, list[TableRef]] = {}
        for ref in self._by_key.values():
            self._by_name.setdefault(_named(ref), []).append(ref)

    def owner(self, named: TableRef) -> TableRef:
        """The one table of the plan with this schema and name; where there is none, or several, the bare names."""
        found = self._by_name.get(named, [])
        return found[0] if len(found) == 1 else named

    def named(self, key: str) -> TableRef | None:
        """What the earlier integration called the table of the plan with this key, if it is the one that it meant."""
        ref = self._by_key.get(key)
        return _named(ref) if ref is not None and self.owner(_named(ref)) == ref else None


def _named(ref: TableRef) -> TableRef:
    return TableRef(ref.table, ref.schema)


class TableHistory:
    """What the earlier integration kept of one table in one environment, read in the transaction of ``connection``.

    :param key: the table's key, which the profiles get.
    :param named: what the earlier integration called it.
    """

    def __init__(
        self, connection: Connection, tables: LegacyTables, environment: str, key: str, named: TableRef
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._environment = environment
        self._key = key
        self._named = named

    def runs(self, limit: int) -> list[StoredRun]:
        """The latest runs, newest first."""
        return [
            StoredRun(
                head.run_id, self._key, head.profiled_at, head.status, row_count=self._row_count(head), worker=EARLIER
            )
            for head in self._heads()[:limit]
        ]

    def profiles(self, limit: int, before: datetime | None = None, run_id: str | None = None) -> list[StoredProfile]:
        """The latest profiles, newest first.

        :param before: earlier than this.
        :param run_id: of this run.
        """
        wanted = [
            head
            for head in self._heads()
            if head.status == COMPLETED
            and run_id in (None, head.run_id)
            and (before is None or head.profiled_at < before)
        ]
        return [self._profile(head) for head in wanted[:limit]]

    def _heads(self) -> list[Head]:
        """Newest first. MySQL may compare without regard to case, so the database has only the first word."""
        runs, results = self._tables.runs.c, self._tables.results.c
        run_rows = fetch(self._connection, self._tables.run_rows().where(runs.dataset_name == self._named.table))
        names = (results.run_id, results.dataset_name, results.schema_name)
        exact = [func.hex(name) for name in names] if self._connection.dialect.name == "mysql" else []
        metric_rows = fetch(
            self._connection,
            select(*names, results.profiled_at, *exact).where(results.dataset_name == self._named.table).distinct(),
        )
        present = {table_of(row) for row in run_rows}
        orphans = any(table_of(row) not in present for row in metric_rows)
        heads = heads_of(run_rows, metric_rows, self._environments() if orphans else run_rows)
        found = [head for head in heads.values() if isinstance(head, Head) and self._is_wanted(head)]
        return sorted(found, key=lambda head: (head.profiled_at, head.run_id), reverse=True)

    def _environments(self) -> list[Row]:
        runs, results = self._tables.runs.c, self._tables.results.c
        of_table = select(results.run_id).where(results.dataset_name == self._named.table)
        return fetch(
            self._connection, select(runs.run_id, runs.environment).where(runs.run_id.in_(of_table)).distinct()
        )

    def _is_wanted(self, head: Head) -> bool:
        return head.ref == self._named and head.environment == self._environment

    def _row_count(self, head: Head) -> int | None:
        return row_count_of(head, self._columns(head)) if head.row_count is None else head.row_count

    def _profile(self, head: Head) -> StoredProfile:
        columns = self._columns(head)
        return StoredProfile(
            self._key, head.run_id, head.profiled_at, row_count_of(head, columns), columns, origin=EARLIER
        )

    def _columns(self, head: Head) -> tuple[ColumnProfile, ...]:
        results = self._tables.results.c
        rows = fetch(
            self._connection,
            self._tables.metric_rows().where(results.run_id == head.run_id, results.dataset_name == head.ref.table),
        )
        own = (head.run_id, head.ref)
        return columns_from(row for row in rows if table_of(row) == own and is_of_attempt(row, head))
