"""Profile one table: every metric exact, all of one moment.

Where its rows are streamed, what can be measured here is; the database computes the rest, on as many connections as the
dialect has lanes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.profile import TableProfile
from profilemesh_airflow.exceptions import ProfileError, TableMissingError
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.pushdown import Pushdown
from profilemesh_airflow.warehouse.results import column_profile
from profilemesh_airflow.warehouse.selection import Selection, select_rows
from profilemesh_airflow.warehouse.stream import open_streaming
from profilemesh_airflow.warehouse.subject import DISTINCT, MOST_HASHED, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import sqlalchemy as sa

    from profilemesh_airflow.core.plan import Column, TableInfo, TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.strategy import Choice

#: The number of distinct values, and their share of the rows, from which counting them by sorting beats grouping, as
#: columns share the scan that sorts them. Exact numbers are better grouped: each value is then made a double only once.
_MANY = 100_000
_SHARE = 0.015
_SHARE_OF_DECIMALS = 0.1


class Profiler:
    """The profile of one table on lanes that are open.

    :param rate: one in how many rows is looked at for approximations; none where there are none.
    :param only: the columns to profile; none means all.
    """

    def __init__(
        self,
        lanes: Lanes,
        dialect: Dialect,
        info: TableInfo,
        settings: TableSettings,
        choice: Choice,
        rate: int | None,
        only: Collection[str] | None = None,
    ) -> None:
        self._lanes = lanes
        self._dialect = dialect
        self._info = info
        self._settings = settings
        self._choice = choice
        self._rate = None if choice.stream else rate
        self._only = only
        self._rows = 0
        self._values: Mapping[str, float] = {}

    def profile(self) -> TableProfile:
        """Profile the table.

        :raises TableMissingError: when it is gone.
        :raises ProfileError: when it cannot be read at all; what fails for one metric is written beside that metric.
        :raises ProfileTimeoutError: when the lanes' deadline is over.
        """
        started = time.perf_counter()
        ((selection, subjects),) = self._lanes.wait([self._lanes.submit(self._prepare)])
        strategy = {**selection.notes, "reason": self._choice.reason, "connections": len(self._lanes)}
        if self._choice.stream:
            strategy |= {"engine": "stream", **self._stream(selection.relation, subjects)}
        else:
            together = self._ask(selection.relation, subjects)
            strategy |= {
                "engine": "sql",
                "sorted": [subject.column.name for subject in subjects if subject.key is subject.value],
                "distinct_by_hash": [subject.column.name for subject in subjects if subject.by_hash],
                "together": together,
            }
            if self._rate is not None:
                strategy["approximated_from_one_row_in"] = self._rate
        scans = self._lanes.scans
        return TableProfile(
            row_count=self._rows,
            columns=tuple(column_profile(subject, self._rows, self._dialect) for subject in subjects),
            queries=self._lanes.queries,
            rows_scanned=self._rows_read(selection) * scans,
            seconds=time.perf_counter() - started,
            bytes_scanned=self._bytes_read(selection, scans),
            rows_of=selection.rows_of,
            strategy=strategy,
        )

    def _stream(self, relation: Relation, subjects: Sequence[Subject]) -> Mapping[str, Any]:
        """Measure here what can be, and have the database do the rest; what was done how."""
        bins, memory = self._settings.histogram_bins, self._choice.memory
        streaming = open_streaming(self._dialect.name, self._lanes, relation, bins, memory)
        streaming.measure(self._info, [subject for subject in subjects if subject.wanted])
        if streaming.rows is not None:
            self._rows = streaming.rows
        if streaming.left or streaming.rows is None:
            self._ask(relation, [subject for subject in subjects if subject.column.name in streaming.left])
        return {"left_to_sql": streaming.left, "distinct_by_hash": streaming.hashed}

    def _ask(self, relation: Relation, subjects: Sequence[Subject]) -> list[list[str]]:
        """Have the database compute everything; the columns that it looked at together."""
        pushdown = Pushdown(
            self._lanes, self._dialect, self._settings, self._rate, self._values, self._choice.memory, self._fail
        )
        pushdown.measure(relation, subjects)
        self._rows = pushdown.rows
        return pushdown.joined

    def _rows_read(self, selection: Selection) -> int:
        """By one statement."""
        return max(self._rows, self._info.estimated_rows or 0) if selection.reads_all else self._rows

    def _bytes_read(self, selection: Selection, scans: int) -> int | None:
        """By so many scans, as far as the catalog knows how large the table is; of a part of it nobody knows."""
        size = self._info.estimated_bytes
        whole = selection.reads_all or selection.rows_of == "table"
        return size * scans if size is not None and whole else None

    def _prepare(self, lane: Lane) -> tuple[Selection, list[Subject]]:
        """The rows to profile, and the columns."""
        try:
            selection = select_rows(lane, self._info, self._settings, self._dialect)
            relation = selection.relation
            stored = self._dialect.settle(self._info, relation, lane.scan)
        except StatementError as error:
            raise self._table_error(error) from error
        if self._groups():
            self._values = self._dialect.distinct_estimates(self._info, lane.run)
        return selection, [
            self._subject(column, stored.get(column.name, kind), relation)
            for column, kind in zip(self._info.columns, self._info.details["kinds"], strict=True)
            if self._only is None or column.name in self._only
        ]

    def _subject(self, column: Column, kind: Kind, relation: Relation) -> Subject:
        value = self._dialect.operand(relation.column(column.name), column)
        folded = column.name in self._info.details["folded"]
        approximate = self._rate is not None and self._settings.approximates(column.name)
        sorts = self._differ(column, kind) and not folded and not approximate
        return Subject(
            column=column,
            kind=kind,
            value=value,
            asked=frozenset(self._settings.metrics),
            folded=folded,
            key=self._sorting_key(value, kind) if sorts else None,
            approximate=approximate,
            passing=self._dialect.counts_few and kind is Kind.BOOLEAN and not approximate,
            tallied=self._dialect.counts_here(self._info, kind),
        )

    def _differ(self, column: Column, kind: Kind) -> bool:
        """Whether so many values of a column are thought to differ that sorting them pays."""
        share = _SHARE_OF_DECIMALS if kind is Kind.DECIMAL else _SHARE
        return self._values.get(column.name, 0) > min(_MANY, (self._info.estimated_rows or 0) * share)

    def _sorting_key(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any] | None:
        """What to sort to count the distinct values of a column of mostly different ones."""
        key = self._dialect.sorting_key(value, kind)
        by_hash = key is not None and key is not value
        return None if by_hash and (self._info.estimated_rows or 0) > MOST_HASHED else key

    def _groups(self) -> bool:
        """Whether the database is going to count distinct values of every column."""
        estimated = self._rate is not None and self._settings.approximate is True
        return bool(DISTINCT.intersection(self._settings.metrics)) and not self._choice.stream and not estimated

    def _fail(self, error: StatementError) -> None:
        raise self._table_error(error) from error

    def _table_error(self, error: StatementError) -> ProfileError | TableMissingError:
        missing = error.code in self._dialect.missing_codes or any(
            text in str(error) for text in self._dialect.missing_messages
        )
        if missing:
            return TableMissingError(f"{self._info.ref} is gone: {error}; has it been dropped or renamed?")
        return ProfileError(f"{self._info.ref} cannot be profiled: {error}")
