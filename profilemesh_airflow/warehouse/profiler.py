"""Profile one table: every metric exact, all of one moment.

One scan answers all plain aggregates. Then each column is looked at once more, by its distinct values, on as many
connections as the dialect has lanes; columns whose second look needs nothing from the first begin with it.
"""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

import sqlalchemy as sa

from profilemesh_airflow.core.profile import TableProfile
from profilemesh_airflow.exceptions import ProfileError, TableMissingError
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.groups import study_numbers, study_values
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.partitions import select_partitions
from profilemesh_airflow.warehouse.relation import Relation
from profilemesh_airflow.warehouse.results import column_profile
from profilemesh_airflow.warehouse.scan import Target, chunks, is_irregular, regular_targets, scan, targets
from profilemesh_airflow.warehouse.subject import DISTINCT, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.core.plan import TableInfo, TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes

#: Kinds whose values sort so fast that counting distinct ones by sorting beats grouping, if most of them differ.
_SORTS_FAST = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.TEMPORAL})


class Profiler:
    """The profile of one table on lanes that are open."""

    def __init__(self, lanes: Lanes, dialect: Dialect, info: TableInfo, settings: TableSettings) -> None:
        self._lanes = lanes
        self._dialect = dialect
        self._info = info
        self._settings = settings
        self._rows = 0

    def profile(self) -> TableProfile:
        """Profile the table.

        :raises TableMissingError: when it is gone.
        :raises ProfileError: when it cannot be read at all; what fails for one metric is written beside that metric.
        :raises ProfileTimeoutError: when the lanes' deadline is over.
        """
        started = time.perf_counter()
        ((relation, subjects),) = self._lanes.wait([self._lanes.submit(self._prepare)])
        numbers = [subject for subject in subjects if subject.kind.numeric]
        first = [self._lanes.submit(scan, relation, some) for some in chunks(self._first_targets(subjects))]
        early = [
            self._lanes.submit(study_values, relation, subject, self._dialect)
            for subject in subjects
            if subject.grouped_early
        ]
        self._lanes.wait(first)
        irregular = [subject for subject in subjects if is_irregular(subject, self._dialect)]
        again = chunks(regular_targets(irregular, self._dialect))
        self._lanes.wait(self._lanes.submit(scan, relation, some) for some in again)
        bins = self._settings.histogram_bins
        late = [
            self._lanes.submit(study_numbers, relation, subject, self._dialect, bins, subject in irregular)
            for subject in numbers
        ]
        self._lanes.wait(chain(early, late))
        return TableProfile(
            row_count=self._rows,
            columns=tuple(column_profile(subject, self._rows, self._dialect) for subject in subjects),
            queries=self._lanes.queries,
            rows_scanned=self._rows * self._lanes.scans,
            seconds=time.perf_counter() - started,
        )

    def _prepare(self, lane: Lane) -> tuple[Relation, list[Subject]]:
        """The rows to profile, and the columns."""
        try:
            partition = self._settings.partition
            relation = select_partitions(lane, Relation.of(self._info), self._info, partition, self._dialect)
            stored = self._dialect.settle(self._info, relation, lane.scan)
        except StatementError as error:
            raise self._table_error(error) from error
        wanted = frozenset(self._settings.metrics)
        dense = self._dialect.many_values(self._info, lane.run) if wanted & DISTINCT else frozenset()
        subjects = [
            Subject(
                column=column,
                kind=stored.get(column.name, kind),
                value=relation.column(column.name),
                asked=wanted,
                folded=column.name in self._info.details["folded"],
                dense=column.name in dense and kind in _SORTS_FAST,
            )
            for column, kind in zip(self._info.columns, self._info.details["kinds"], strict=True)
        ]
        return relation, subjects

    def _first_targets(self, subjects: Iterable[Subject]) -> list[Target]:
        """Led by the number of rows: where even that is refused, the table as a whole is."""
        return [Target(sa.func.count(), self._keep_rows, self._fail), *targets(subjects, self._dialect)]

    def _keep_rows(self, rows: int) -> None:
        self._rows = rows

    def _fail(self, error: StatementError) -> None:
        raise self._table_error(error) from error

    def _table_error(self, error: StatementError) -> ProfileError | TableMissingError:
        missing = error.code in self._dialect.missing_codes or any(
            text in str(error) for text in self._dialect.missing_messages
        )
        if missing:
            return TableMissingError(f"{self._info.ref} is gone: {error}; has it been dropped or renamed?")
        return ProfileError(f"{self._info.ref} cannot be profiled: {error}")
