"""Profile columns by streaming them: a few at a time, as many as there is memory for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.stream.source import Wish
from profilemesh_airflow.warehouse.subject import DISTINCT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.stream.source import Findings, Source
    from profilemesh_airflow.warehouse.subject import Subject

    Portion: TypeAlias = list[tuple[Subject, Wish]]

#: The share of the memory that values may take; the rest is for rows on their way and for what is computed.
_SHARE_OF_VALUES = 0.6

_TOO_LARGE = "does not fit into profiling.max_memory_mb"


class Streaming:
    """The columns of one table that come over.

    :param limit: bytes that all of it may take.
    :ivar rows: how many rows there were; none where no column was measured.
    :ivar left: the columns that the database has to measure itself, and why.
    :ivar hashed: the columns whose distinct values were told apart by their hashes.
    """

    def __init__(self, lanes: Lanes, source: Source, relation: Relation, bins: int, limit: float) -> None:
        self._lanes = lanes
        self._source = source
        self._relation = relation
        self._bins = bins
        self._limit = limit * _SHARE_OF_VALUES
        self.rows: int | None = None
        self.left: dict[str, str] = {}
        self.hashed: list[str] = []

    def measure(self, info: TableInfo, subjects: Sequence[Subject]) -> None:
        """Measure what can be measured here."""
        waiting: Portion = []
        for subject in subjects:
            field = self._source.field(info, subject.column, subject.kind)
            if field is None:
                self.left[subject.column.name] = f"type {subject.column.type}"
            else:
                waiting.append((subject, Wish(subject.kind, subject.wanted, field)))
        (rows,) = self._lanes.wait([self._lanes.submit(self._rows, info)])
        while waiting:
            portion = self._first_portion(waiting, rows or 0)
            waiting = [*self._pass(info, portion), *waiting[len(portion) :]]

    def _rows(self, lane: Lane, info: TableInfo) -> int | None:
        try:
            return self._source.rows(info, self._relation, lane.run)
        except StatementError:
            return None

    def _first_portion(self, waiting: Portion, rows: int) -> Portion:
        """As many columns as are thought to fit, and at least one."""
        taken = 0
        for number, (_, wish) in enumerate(waiting):
            taken += rows * wish.field.width
            if number and taken > self._limit:
                return waiting[:number]
        return waiting[:]

    def _pass(self, info: TableInfo, portion: Portion) -> Portion:
        """Read some columns once and measure them; return those that there was no room for."""
        try:
            findings = self._source.look(self._lanes, info, self._relation, portion, self._limit, self._bins)
        except StatementError:
            return self._leave(portion, "could not be streamed")
        for place, reason in findings.unfit.items():
            self._leave([portion[place]], reason)
        self._keep(portion, findings)
        put_off = [portion[place] for place in findings.put_off]
        return put_off if findings.found else self._leave(put_off, _TOO_LARGE)

    def _keep(self, portion: Portion, findings: Findings) -> None:
        if findings.found:
            self.rows = findings.rows
        for place, found in findings.found.items():
            subject = portion[place][0]
            subject.measured |= found.measured
            subject.failed |= found.failed
            if found.hashed and subject.wanted & DISTINCT:
                self.hashed.append(subject.column.name)

    def _leave(self, columns: Iterable[tuple[Subject, Wish]], reason: str) -> Portion:
        self.left |= {subject.column.name: reason for subject, _ in columns}
        return []
