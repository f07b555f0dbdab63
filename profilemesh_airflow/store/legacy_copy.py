"""Copying the earlier integration's rows into the store's own tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, union

from profilemesh_airflow.store.history import EARLIER
from profilemesh_airflow.store.legacy import fetch
from profilemesh_airflow.store.legacy_rows import (
    Head,
    columns_from,
    heads_of,
    is_named,
    is_of_attempt,
    row_count_of,
    table_of,
)
from profilemesh_airflow.store.profiles import metric_rows
from profilemesh_airflow.store.rows import reasons_to_json, table_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.profile import ColumnProfile
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store.legacy import LegacyTables, Owners
    from profilemesh_airflow.store.legacy_rows import Row, RunTable
    from profilemesh_airflow.store.schema import Tables

#: So many runs, or so many of their metric rows, are held in memory at once. Its results table may have no index by
#: which fewer would be found faster.
_RUNS_AT_ONCE, _ROWS_AT_ONCE = 500, 20_000

#: The longest text of these kinds that our tables hold, in ASCII.
_MAX_RUN_ID, _MAX_ENVIRONMENT, _MAX_METRIC = 100, 63, 64


@dataclass(frozen=True)
class LeftOut:
    """Rows that were not taken over, and why."""

    run_id: str
    table: str
    rows: int
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-safe data."""
        return asdict(self)


@dataclass
class Copied:
    """What became of the rows.

    :param runs: runs taken over: one for each table in each run.
    :param metric_rows: metrics and errors taken over.
    :param repeated: rows that another one stands for: those of a run that was retried are counted once.
    """

    runs: int = 0
    metric_rows: int = 0
    repeated: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


class Copier:
    """Copies everything, in the transaction of ``connection``. What it has copied before is replaced.

    :param source_name: the source that the runs get.
    """

    def __init__(
        self, connection: Connection, legacy: LegacyTables, tables: Tables, source_name: str, owners: Owners
    ) -> None:
        self._connection = connection
        self._legacy = legacy
        self._tables = tables
        self._source_name = source_name
        self._owners = owners
        self._copied = Copied()

    def copy(self) -> Copied:
        """Copy every run, with its metrics."""
        for run_ids in self._parts():
            self._copy(run_ids)
        return self._copied

    def _parts(self) -> Iterator[list[str | None]]:
        runs, results = self._legacy.runs, self._legacy.results
        found = self._connection.execute(union(select(runs.c.run_id), select(results.c.run_id))).scalars().all()
        counted = select(results.c.run_id, func.count()).group_by(results.c.run_id)
        rows_of = {row[0]: row[1] for row in self._connection.execute(counted)}
        part: list[str | None] = []
        rows = 0
        for run_id in sorted(run_id for run_id in found if run_id is not None):
            part.append(run_id)
            rows += rows_of.get(run_id, 0)
            if len(part) == _RUNS_AT_ONCE or rows >= _ROWS_AT_ONCE:
                yield part
                part, rows = [], 0
        yield part
        if None in found:
            yield [None]

    def _copy(self, run_ids: list[str | None]) -> None:
        legacy = self._legacy
        run_rows = fetch(self._connection, legacy.run_rows().where(_among(legacy.runs.c.run_id, run_ids)))
        found = fetch(self._connection, legacy.metric_rows().where(_among(legacy.results.c.run_id, run_ids)))
        metrics: defaultdict[RunTable, list[Row]] = defaultdict(list)
        for row in found:
            metrics[table_of(row)].append(row)
        own_rows = Counter(map(table_of, run_rows))
        taken = self._make_room(run_ids)
        runs: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for key, understood in heads_of(run_rows, found, run_rows).items():
            head = self._checked(understood, taken)
            if isinstance(head, str):
                self._leave_out(key, own_rows[key] + len(metrics[key]), head)
                continue
            kept = self._kept(key, metrics[key])
            columns = columns_from(row for row in kept if is_of_attempt(row, head))
            ref = self._owners.owner(head.ref)
            new = metric_rows(head.run_id, ref, columns, head.profiled_at)
            self._copied.repeated += max(own_rows[key] - 1, 0) + len(kept) - len(new)
            runs.append(self._run(head, ref, columns))
            rows += new
        self._insert(runs, rows)

    def _make_room(self, run_ids: list[str | None]) -> set[tuple[str, str]]:
        """Delete what an earlier attempt has copied of these runs; returns the runs that are there all the same."""
        runs = self._tables.runs
        ours = _among(runs.c.run_id, [run_id for run_id in run_ids if run_id is not None])
        # The metrics go with their run, by the foreign key.
        self._connection.execute(runs.delete().where(and_(ours, runs.c.worker == EARLIER)))
        return {
            (row[0], row[1]) for row in self._connection.execute(select(runs.c.run_id, runs.c.table_key).where(ours))
        }

    def _checked(self, head: Head | str, taken: Collection[tuple[str, str]]) -> Head | str:
        if isinstance(head, str):
            return head
        if not _fits(head.run_id, _MAX_RUN_ID) or not _fits(head.environment, _MAX_ENVIRONMENT):
            return f"its run_id or its environment ({head.environment}) is too long, or not ASCII"
        if (head.run_id, self._owners.owner(head.ref).key) in taken:
            return "the store has a run of this id already"
        return head

    def _kept(self, key: RunTable, rows: list[Row]) -> list[Row]:
        kept = [row for row in rows if is_named(row) and _fits(str(row["metric_name"]), _MAX_METRIC)]
        if len(kept) < len(rows):
            self._leave_out(key, len(rows) - len(kept), "without a column or a metric that can be named")
        return kept

    def _leave_out(self, key: RunTable, rows: int, why: str) -> None:
        run_id, ref = key
        self._copied.left_out.append(LeftOut(run_id, ref.display, rows, why))

    def _run(self, head: Head, ref: TableRef, columns: Sequence[ColumnProfile]) -> dict[str, Any]:
        return {
            "environment": head.environment,
            "source_name": self._source_name,
            **table_columns(ref),
            "run_id": head.run_id,
            "profiled_at": head.profiled_at,
            "status": head.status,
            "reasons": reasons_to_json(()),
            "row_count": row_count_of(head, columns),
            "column_count": len(columns),
            "worker": EARLIER,
        }

    def _insert(self, runs: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
        if runs:
            self._connection.execute(self._tables.runs.insert(), runs)
        if rows:
            self._connection.execute(self._tables.results.insert(), rows)
        self._copied.runs += len(runs)
        self._copied.metric_rows += len(rows)


def _among(run_id: ColumnElement[Any], run_ids: Sequence[str | None]) -> ColumnElement[bool]:
    return run_id.is_(None) if None in run_ids else run_id.in_(run_ids)


def _fits(text: str, length: int) -> bool:
    return text.isascii() and len(text) <= length
