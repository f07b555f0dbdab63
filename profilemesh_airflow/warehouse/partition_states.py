"""What has to be known of each partition, so that a profile can be merged from them."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.core.merge import ColumnState, PartitionState
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import Frame
from profilemesh_airflow.warehouse.partitions import MOST_PARTITIONS
from profilemesh_airflow.warehouse.results import extreme
from profilemesh_airflow.warehouse.scan import MAX_RESULTS, any_irregular, regular_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: Aggregates of a column in one statement at most.
_AGGREGATES = 5

#: Times whose order is that of their texts.
_PLAIN_TIME = re.compile(r"\d{4}-|\d\d:")


def list_partitions(
    lane: Lane, relation: Relation, info: TableInfo, key: Column, dialect: Dialect
) -> dict[str, PartitionState] | None:
    """The partitions by digest, without columns, in one scan; none where nobody can tell which of them changed."""
    version = dialect.partition_version(info)
    if version is None:
        return None
    found = _grouped(lane, relation, key, [sa.func.count(), version], dialect, MOST_PARTITIONS + 1)
    if len(found) > MOST_PARTITIONS or not all(_is_plain(value) for value in found):
        return None
    states = (PartitionState(value, f"{rows} {mark}", int(rows), {}) for value, (rows, mark) in found.items())
    return {state.digest: state for state in states}


class StateReader:
    """Reads the states of partitions: one scan, and a second one for standard deviations.

    :param relation: the rows of the partitions that are wanted.
    """

    def __init__(self, lane: Lane, relation: Relation, key: Column, dialect: Dialect) -> None:
        self._lane = lane
        self._relation = relation
        self._key = key
        self._dialect = dialect

    def read(self, subjects: Sequence[Subject]) -> dict[Any, dict[str, ColumnState]] | None:
        """The state of each column by the partition's value; none where something in it cannot be merged."""
        size = MAX_RESULTS // _AGGREGATES
        states: dict[Any, dict[str, ColumnState]] = {}
        for at in range(0, len(subjects), size):
            some = subjects[at : at + size]
            for value, columns in self._measure(some).items():
                states.setdefault(value, {}).update(columns)
        sound = all(_is_sound(state) for columns in states.values() for state in columns.values())
        return states if sound else None

    def _measure(self, subjects: Sequence[Subject]) -> dict[Any, dict[str, ColumnState]]:
        regular = {subject.column.name: subject.value for subject in subjects}
        rows = self._rows(subjects, regular)
        irregular = [number for number, subject in enumerate(subjects) if self._is_irregular(subject, number, rows)]
        if irregular:
            # Rare, so that the others are spared the test.
            some = [subjects[number] for number in irregular]
            regular |= {subject.column.name: regular_values(subject, self._dialect) for subject in some}
            for value, again in self._rows(some, regular).items():
                for number, row in zip(irregular, again, strict=True):
                    rows[value][number] = row
        frames = {
            subject.column.name: frame
            for number, subject in enumerate(subjects)
            if subject.kind.numeric
            and (frame := _frame(subject, self._dialect, [row[number] for row in rows.values()])) is not None
        }
        scaled = [frame.scaled(frame.difference(regular[name])) for name, frame in frames.items()]
        sums = self._group([total for z in scaled for total in (sa.func.sum(z), sa.func.sum(z * z))]) if scaled else {}
        return {
            value: {
                subject.column.name: self._state(subject, row[number], _moments(frames, sums.get(value, ())))
                for number, subject in enumerate(subjects)
            }
            for value, row in rows.items()
        }

    def _rows(self, subjects: Sequence[Subject], values: Mapping[str, Any]) -> dict[Any, list[Sequence[Any]]]:
        """The plain aggregates of each column by the partition's value."""
        plain = self._group([expression for each in subjects for expression in self._plain(each, values)])
        return {value: _by_fives(row) for value, row in plain.items()}

    def _is_irregular(self, subject: Subject, number: int, rows: Mapping[Any, Sequence[Sequence[Any]]]) -> bool:
        extremes = (value for row in rows.values() for value in row[number][2:4])
        return any_irregular(extremes, subject, self._dialect)

    def _plain(self, subject: Subject, regular: Mapping[str, Any]) -> list[sa.ColumnElement[Any]]:
        value, nothing = regular[subject.column.name], sa.null()
        extremes = subject.kind.numeric or subject.kind is Kind.TEMPORAL
        return [
            sa.func.count(subject.value),
            sa.func.count(value) if subject.kind.numeric else nothing,
            self._dialect.extreme(sa.func.min(value), subject.kind) if extremes else nothing,
            self._dialect.extreme(sa.func.max(value), subject.kind) if extremes else nothing,
            self._dialect.average(value, subject.kind) if subject.kind.numeric else nothing,
        ]

    def _state(
        self, subject: Subject, row: Sequence[Any], moments: Mapping[str, tuple[Frame, Any, Any]]
    ) -> ColumnState:
        non_null, regular, low, high, _ = row
        state = ColumnState(
            non_null=int(non_null),
            regular=int(regular or 0),
            low=extreme(low, 0, subject, self._dialect),
            high=extreme(high, 0, subject, self._dialect),
        )
        if not state.regular:
            return state
        if subject.column.name not in moments:
            return ColumnState(state.non_null, state.regular, state.low, state.high, float(low))
        frame, total, squares = moments[subject.column.name]
        variation = max(float(squares) - float(total) * float(total) / state.regular, 0.0)
        spread = math.sqrt(variation) / frame.factor / frame.shrink
        mean = frame.mean(state.regular, float(total))
        return ColumnState(state.non_null, state.regular, state.low, state.high, mean, spread)

    def _group(self, expressions: Sequence[sa.ColumnElement[Any]]) -> dict[Any, Sequence[Any]]:
        return _grouped(self._lane, self._relation, self._key, expressions, self._dialect)


def _grouped(
    lane: Lane,
    relation: Relation,
    key: Column,
    expressions: Sequence[sa.ColumnElement[Any]],
    dialect: Dialect,
    limit: int | None = None,
) -> dict[Any, Sequence[Any]]:
    column = relation.column(key.name)
    labelled = [expression.label(f"m{number}") for number, expression in enumerate(expressions)]
    groups = relation.select(column.label("k"), *labelled).group_by(column).limit(limit).subquery("p")
    found = lane.scan(sa.select(dialect.partition_key(groups.c.k), *(groups.c[each.name] for each in labelled)))
    return {_storable(row[0]): tuple(row[1:]) for row in found}


def _storable(value: Any) -> Any:
    """A date or time that a driver gives as such, as the text that every database reads as the same."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value


def _by_fives(row: Sequence[Any]) -> list[Sequence[Any]]:
    return [row[at : at + _AGGREGATES] for at in range(0, len(row), _AGGREGATES)]


def _frame(subject: Subject, dialect: Dialect, rows: Sequence[Sequence[Any]]) -> Frame | None:
    """One for all partitions; none where all values are equal, or there are none."""
    known = [row for row in rows if row[1]]
    if not known:
        return None
    low, high = min(row[2] for row in known), max(row[3] for row in known)
    if low == high:
        return None
    total, average = sum(int(row[1]) for row in known), None
    if all(row[4] is not None for row in known):
        average = sum(float(row[4]) * (int(row[1]) / total) for row in known)
    return Frame.of(subject.kind, low, high, average, dialect.digits)


def _moments(frames: Mapping[str, Frame], sums: Sequence[Any]) -> dict[str, tuple[Frame, Any, Any]]:
    pairs = zip(sums[::2], sums[1::2], strict=True)
    return {name: (frame, *pair) for (name, frame), pair in zip(frames.items(), pairs, strict=True)}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _is_sound(state: ColumnState) -> bool:
    """Whether nothing has overflowed, and the extremes can be compared with those of other partitions."""
    texts = [value for value in (state.low, state.high) if isinstance(value, str)]
    return state.is_sound and all(_PLAIN_TIME.match(text) for text in texts)
