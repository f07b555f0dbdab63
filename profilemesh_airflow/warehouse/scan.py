"""The first scan: every plain aggregate of every column, in one statement (a very wide table takes a few)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.halving import ask_in_halves
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: Results in one statement: PostgreSQL allows 1,664, SQLite 2,000.
MAX_RESULTS = 1500
#: Columns whose values one statement sorts: the database may give each of them memory of its own.
MAX_SORTS = 6


@dataclass(frozen=True)
class Target:
    """One aggregate, and where its result or its failure goes."""

    expression: sa.ColumnElement[Any]
    keep: Callable[[Any], None]
    fail: Callable[[StatementError], None]


def targets(subjects: Iterable[Subject], dialect: Dialect) -> list[Target]:
    """What the first scan asks, of all columns."""
    return [
        target(subject, name, _AGGREGATES[name](dialect, subject, subject.value))
        for subject in subjects
        for name in subject.measures
    ]


def regular_targets(subjects: Iterable[Subject], dialect: Dialect) -> list[Target]:
    """The same of the regular values alone, for the columns that the first scan found to hold others.

    NaN, infinities, texts among numbers: they are rare, so that the first scan is spared the test.
    """
    return [
        target(subject, name, _AGGREGATES[name](dialect, subject, regular_values(subject, dialect)))
        for subject in subjects
        for name in subject.measures
        if name in ("low", "high", "average")
    ]


def sorted_targets(subjects: Iterable[Subject]) -> list[Target]:
    """The numbers of distinct values, of columns whose values are sorted for that."""
    return [
        target(subject, "distinct", sa.func.count(subject.key.distinct()))
        for subject in subjects
        if subject.key is not None
    ]


def chunks(asked: Sequence[Target], most: int = MAX_RESULTS, *, least: int = 1) -> list[Sequence[Target]]:
    """The targets of each statement: of as few as possible, in even parts.

    :param most: how many fit into a statement.
    :param least: for how many statements there are connections.
    """
    number = min(len(asked), max(least, math.ceil(len(asked) / most)))
    return [asked[at::number] for at in range(number)]


def scan(lane: Lane, relation: Relation, asked: Sequence[Target]) -> None:
    """Ask in one statement; where the database refuses it, find out which aggregates it refuses."""

    def ask(some: Sequence[Target]) -> None:
        expressions = (target.expression.label(f"m{number}") for number, target in enumerate(some))
        try:
            (row,) = lane.scan(relation.select(*expressions))
        except StatementError as error:
            if not error.exhausted:
                raise
            for target in some:
                target.fail(error)
        else:
            for target, value in zip(some, row, strict=True):
                target.keep(value)

    ask_in_halves(asked, ask, StatementError, lambda target, error: target.fail(error))


def is_irregular(subject: Subject, dialect: Dialect) -> bool:
    """Whether the extremes show that a column holds values that have no place in its statistics."""
    return any_irregular((subject.measured.get(name) for name in ("low", "high")), subject, dialect)


def any_irregular(extremes: Iterable[Any], subject: Subject, dialect: Dialect) -> bool:
    """Whether one of these minima and maxima of a column is such a value."""
    return any(value is not None and not dialect.is_regular(value, subject.kind) for value in extremes)


def regular_values(subject: Subject, dialect: Dialect) -> sa.ColumnElement[Any]:
    """SQL for a column's value, NULL where it has no place in its statistics."""
    return sa.case((dialect.finite(subject.value, subject.kind), subject.value))


def target(subject: Subject, name: str, expression: sa.ColumnElement[Any]) -> Target:
    """The target whose result a subject keeps under ``name``."""

    def keep(value: Any) -> None:
        subject.measured[name] = value

    def fail(error: StatementError) -> None:
        subject.measured.pop(name, None)
        subject.failed[name] = str(error)

    return Target(expression, keep, fail)


def _number_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """SQL for the number of rows that fulfil ``condition``."""
    return sa.func.count(sa.case((condition, sa.literal_column("1"))))


_AGGREGATES: dict[str, Callable[[Dialect, Subject, Any], sa.ColumnElement[Any]]] = {
    "non_null": lambda _, __, value: sa.func.count(value),
    "low": lambda dialect, subject, value: dialect.extreme(sa.func.min(value), subject.kind),
    "high": lambda dialect, subject, value: dialect.extreme(sa.func.max(value), subject.kind),
    "average": lambda dialect, subject, value: dialect.average(value, subject.kind),
    "distinct": lambda _, __, value: sa.func.count(value.distinct()),
    "deviation": lambda _, __, value: sa.func.stddev_samp(value),
    "min_length": lambda dialect, _, value: sa.func.min(dialect.length(value)),
    "max_length": lambda dialect, _, value: sa.func.max(dialect.length(value)),
    "avg_length": lambda dialect, _, value: dialect.average(dialect.length(value), Kind.INTEGER),
    "min_text": lambda dialect, _, value: sa.func.min(dialect.code_point_order(value)),
    "max_text": lambda dialect, _, value: sa.func.max(dialect.code_point_order(value)),
    "zero_count": lambda _, __, value: _number_of(value == sa.literal_column("0")),
    "negative_count": lambda _, __, value: _number_of(value < sa.literal_column("0")),
    "empty_count": lambda dialect, _, value: _number_of(dialect.length(value) == sa.literal_column("0")),
    "true_count": lambda _, __, value: _number_of(value == sa.true()),
    "false_count": lambda _, __, value: _number_of(value == sa.false()),
}
