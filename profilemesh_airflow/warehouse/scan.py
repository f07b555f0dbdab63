"""The first scan: every plain aggregate of every column, in one statement (a very wide table takes a few)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.halving import ask_in_halves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: Results in one statement: PostgreSQL allows 1,664, SQLite 2,000.
MAX_RESULTS = 1500


@dataclass(frozen=True)
class Target:
    """One aggregate, and where its result or its failure goes."""

    expression: sa.ColumnElement[Any]
    keep: Callable[[Any], None]
    fail: Callable[[StatementError], None]


def targets(subjects: Iterable[Subject], dialect: Dialect) -> list[Target]:
    """What the first scan asks, of all columns."""
    return [
        _target(subject, name, _AGGREGATES[name](dialect, subject, subject.value))
        for subject in subjects
        for name in subject.measures
    ]


def regular_targets(subjects: Iterable[Subject], dialect: Dialect) -> list[Target]:
    """The same of the regular values alone, for the columns that the first scan found to hold others.

    NaN, infinities, texts among numbers: they are rare, so that the first scan is spared the test.
    """
    return [
        _target(subject, name, _AGGREGATES[name](dialect, subject, _regular(dialect, subject)))
        for subject in subjects
        for name in subject.measures
        if name in ("low", "high", "average")
    ]


def chunks(asked: Sequence[Target]) -> list[Sequence[Target]]:
    """As many at a time as fit into a statement."""
    return [asked[at : at + MAX_RESULTS] for at in range(0, len(asked), MAX_RESULTS)]


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
    extremes = (subject.measured.get(name) for name in ("low", "high"))
    return any(value is not None and not dialect.is_regular(value, subject.kind) for value in extremes)


def _target(subject: Subject, name: str, expression: sa.ColumnElement[Any]) -> Target:
    def keep(value: Any) -> None:
        subject.measured[name] = value

    def fail(error: StatementError) -> None:
        subject.measured.pop(name, None)
        subject.failed[name] = str(error)

    return Target(expression, keep, fail)


def _regular(dialect: Dialect, subject: Subject) -> sa.ColumnElement[Any]:
    return sa.case((dialect.finite(subject.value, subject.kind), subject.value))


_AGGREGATES: dict[str, Callable[[Dialect, Subject, Any], sa.ColumnElement[Any]]] = {
    "non_null": lambda _, __, value: sa.func.count(value),
    "low": lambda dialect, subject, value: dialect.extreme(sa.func.min(value), subject.kind),
    "high": lambda dialect, subject, value: dialect.extreme(sa.func.max(value), subject.kind),
    "average": lambda _, __, value: sa.func.avg(value),
    "min_length": lambda dialect, _, value: sa.func.min(dialect.length(value)),
    "max_length": lambda dialect, _, value: sa.func.max(dialect.length(value)),
    "avg_length": lambda dialect, _, value: sa.func.avg(dialect.length(value)),
}
