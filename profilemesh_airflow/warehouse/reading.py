"""One table at one moment: its profile, and what its partitions are."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from profilemesh_airflow.core.merge import MERGEABLE, PartitionState, merge_column
from profilemesh_airflow.core.plan import Partition
from profilemesh_airflow.core.profile import TableProfile
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.estimates import check_columns, rate_of
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.partition_states import StateReader, list_partitions
from profilemesh_airflow.warehouse.partitions import Partitions, find_key
from profilemesh_airflow.warehouse.profiler import Profiler
from profilemesh_airflow.warehouse.relation import Relation
from profilemesh_airflow.warehouse.results import column_profile
from profilemesh_airflow.warehouse.selection import check_supported
from profilemesh_airflow.warehouse.strategy import WIDE, choose
from profilemesh_airflow.warehouse.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from profilemesh_airflow.core.plan import Column, TableInfo, TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.strategy import Means

T = TypeVar("T")

log = logging.getLogger(__name__)


class Reading:
    """A table on lanes that are open; all answers are of the same moment.

    :param size: about how many bytes it has, or at most has; none where that is unknown.
    """

    def __init__(self, lanes: Lanes, dialect: Dialect, info: TableInfo, means: Means, size: int | None) -> None:
        self._lanes = lanes
        self._dialect = dialect
        self._info = info
        self._means = means
        self._size = size
        self._rows_scanned = 0
        self._started = time.perf_counter()

    def profile(self, settings: TableSettings, only: Collection[str] | None = None) -> TableProfile:
        """Compute the metrics; raises as :meth:`Warehouse.profile` does.

        :param only: the columns to profile; none means all.
        """
        check_supported(self._info, settings, self._dialect)
        check_columns(self._info, settings)
        rate = rate_of(self._rows(settings), settings, self._dialect)
        width = len(self._info.columns if only is None else only)
        choice = choose(
            self._dialect.name, self._bytes(width), width, settings, self._means, approximated=rate is not None
        )
        return Profiler(self._lanes, self._dialect, self._info, settings, choice, rate, only).profile()

    def _bytes(self, width: int) -> int | None:
        """About how large the table is, if it matters."""
        if self._size is not None or width < WIDE or self._means.engine != "auto":
            return self._size
        return self._on_a_lane(lambda lane: self._dialect.measure_bytes(self._info, lane.run))

    def _rows(self, settings: TableSettings) -> int | None:
        """About how many rows the table has, if it matters."""
        if not settings.approximate:
            return None
        rows = self._on_a_lane(lambda lane: self._dialect.estimate_rows(self._info, lane.run))
        if rows is not None or not self._dialect.counts_fast or self._info.kind != "table":
            return rows
        counted = self._on_a_lane(lambda lane: lane.scan(Relation.of(self._info).select(sa.func.count())))
        return None if counted is None else int(counted[0][0])

    def partitions(self, key: str) -> dict[str, PartitionState] | None:
        """Each partition's rows and version, by digest; none where nobody can tell which of them changed."""
        column = self._column(key)

        def work(lane: Lane) -> dict[str, PartitionState] | None:
            return list_partitions(lane, Relation.of(self._info), self._info, column, self._dialect)

        found = self._on_a_lane(work)
        self._rows_scanned += sum(state.rows for state in (found or {}).values())
        return found

    def states(
        self, key: str, partitions: Mapping[str, PartitionState], settings: TableSettings, *, all_of_them: bool = False
    ) -> dict[str, PartitionState] | None:
        """The same partitions with the state of each column; none where something in them cannot be merged.

        :param all_of_them: they are the whole table.
        """
        column, some = self._column(key), list(partitions.values())
        before = self._lanes.scans

        def work(lane: Lane) -> dict[str, PartitionState] | None:
            relation = Relation.of(self._info)
            if not all_of_them:
                relation = Partitions(column, [state.value for state in some]).of(relation, self._dialect)
            columns = StateReader(lane, relation, column, self._dialect).read(self._subjects(settings, relation))
            if columns is None:
                return None
            return {state.digest: replace(state, columns=columns[state.value]) for state in some}

        if Kind.STORED in self._info.details["kinds"]:
            return None
        found = self._on_a_lane(work) if some else {}
        self._rows_scanned += sum(state.rows for state in some) * (self._lanes.scans - before)
        return found

    def merged(self, states: Mapping[str, PartitionState], settings: TableSettings) -> TableProfile:
        """The profile of the whole table from all its partitions.

        :raises OverflowError: a number is beyond the greatest double.
        """
        rows = sum(state.rows for state in states.values())
        columns = []
        for subject in self._subjects(settings, Relation.of(self._info)):
            profile = column_profile(subject, rows, self._dialect) if subject.kind is Kind.NONE else None
            names = [name for name in MERGEABLE if name in subject.wanted]
            parts = (state.columns[subject.column.name] for state in states.values())
            columns.append(profile or merge_column(subject.column, names, rows, parts))
        return TableProfile(
            row_count=rows,
            columns=tuple(columns),
            queries=self._lanes.queries,
            rows_scanned=self._rows_scanned,
            seconds=time.perf_counter() - self._started,
            rung="partitions",
        )

    def _subjects(self, settings: TableSettings, relation: Relation) -> list[Subject]:
        kinds = self._info.details["kinds"]
        return [
            Subject(
                column, kind, self._dialect.operand(relation.column(column.name), column), frozenset(settings.metrics)
            )
            for column, kind in zip(self._info.columns, kinds, strict=True)
        ]

    def _column(self, name: str) -> Column:
        return find_key(self._info, Partition(name, "specific_values"))

    def _on_a_lane(self, work: Callable[[Lane], T | None]) -> T | None:
        """The answer, or none where the database refuses the question."""
        try:
            (answer,) = self._lanes.wait([self._lanes.submit(work)])
        except StatementError as error:
            log.info("%s is not divided into partitions: %s", self._info.ref, error)
            return None
        return answer
