"""Several columns of few values each, looked at by one statement: the combinations of their values, and how often each.

There are far fewer combinations than rows, so that everything about each column follows from them at next to no cost:
the table is read, and its rows are grouped, once for all of these columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import histogram
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.groups import lengths_of
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.shape import Shape, keep_deviation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: Combinations of values that a statement may have, by the estimates: so many fit into any database's memory.
COMBINATIONS = 16_384
#: Columns in one statement.
MAX_COLUMNS = 8
#: With more bins a column takes more aggregates than sharing a scan saves.
MAX_BINS = 40


def pack(
    subjects: Iterable[Subject], estimate: Callable[[Subject], float | None], combinations: int = COMBINATIONS
) -> list[list[Subject]]:
    """Which columns to look at together: as many as there are few combinations of; every column is in one pack.

    :param estimate: about how many distinct values a column has; none where nobody knows, or where it is to stay
        alone.
    :param combinations: as many a pack may have.
    """
    packs: list[list[Subject]] = []
    alone: list[list[Subject]] = []
    room = 0.0
    known = [(estimate(subject), subject) for subject in subjects]
    for number, subject in sorted(known, key=lambda pair: pair[0] or 0):
        # NULL is one more.
        values = None if number is None else number + 1
        if values is None or values * 2 > combinations:
            alone.append([subject])
        elif packs and values <= room and len(packs[-1]) < MAX_COLUMNS:
            packs[-1].append(subject)
            room /= values
        else:
            packs.append([subject])
            room = combinations / values
    return packs + alone


def at_most(subject: Subject) -> float | None:
    """How many distinct values there can be: truth values, or whole numbers between the extremes that were found."""
    if subject.kind is Kind.BOOLEAN:
        return 2.0
    low, high = (subject.measured.get(name) for name in ("low", "high"))
    return float(high - low + 1) if isinstance(low, int) and isinstance(high, int) else None


def study_together(
    lane: Lane, relation: Relation, subjects: list[Subject], dialect: Dialect, bins: int
) -> list[Subject]:
    """Count distinct values and measure the lengths of texts; of numbers, the histogram and the moments.

    :param subjects: of the numbers among them the first scan has found the extremes, all of them regular.
    :return: the columns that are still to be looked at, one by one, where the database refused the statement.
    """
    values = [subject.value.label(f"v{at}") for at, subject in enumerate(subjects)]
    groups: Any = relation.select(*values, sa.func.count().label("number"))
    groups = groups.group_by(*(subject.value for subject in subjects)).subquery("g")
    shapes = [Shape.of(subject, bins, dialect.digits) if subject.kind.numeric else None for subject in subjects]
    asked = {
        (at, name): expression
        for at, (subject, shape) in enumerate(zip(subjects, shapes, strict=True))
        for name, expression in _questions(subject, shape, groups.c[f"v{at}"], groups.c.number, dialect).items()
    }
    expressions = (expression.label(f"m{at}") for at, expression in enumerate(asked.values()))
    try:
        (row,) = lane.scan(sa.select(*expressions).select_from(groups))
    except StatementError:
        return subjects
    found = dict(zip(asked, row, strict=True))
    for at, (subject, shape) in enumerate(zip(subjects, shapes, strict=True)):
        _keep(subject, shape, {name: value for (place, name), value in found.items() if place == at})
    return []


def _questions(
    subject: Subject, shape: Shape | None, value: Any, number: Any, dialect: Dialect
) -> Mapping[str, sa.ColumnElement[Any]]:
    questions: dict[str, Any] = {"distinct": sa.func.count(value.distinct())}
    if shape is not None:
        questions |= shape.aggregates(value, number)
    return questions | lengths_of(subject, value, number, dialect)


def _keep(subject: Subject, shape: Shape | None, found: dict[str, Any]) -> None:
    if shape is None:
        subject.measured |= found
        return
    counts, total, squares = shape.read(found)
    values = sum(counts.values())
    subject.measured |= {
        "distinct": found["distinct"],
        "histogram": histogram(shape.edges, counts),
        "mean": shape.frame.mean(values, total),
    }
    keep_deviation(subject, shape.frame, values, total, squares)
