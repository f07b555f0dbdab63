"""The second look at a column: its distinct values and how often each occurs.

They give the distinct count, the histogram, mean and standard deviation, and the lengths of texts, all exact and in one
statement.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import DOUBLE, bin_edges, bin_number, histogram
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.moments import Frame, between, is_finite
from profilemesh_airflow.warehouse.subject import DISTINCT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject


def study_values(lane: Lane, relation: Relation, subject: Subject, dialect: Dialect) -> None:
    """Count the distinct values of a column, and measure the lengths of texts."""
    groups = _groups(relation, subject)
    results: dict[str, Any] = {"distinct": _distinct(groups, subject)}
    if subject.lengths_from_groups:
        length = dialect.length(groups.c.value)
        results |= {
            "min_length": sa.func.min(length),
            "max_length": sa.func.max(length),
            "avg_length": sa.cast(sa.func.sum(length * groups.c.number), DOUBLE) / sa.func.sum(groups.c.number),
        }
    try:
        (row,) = lane.scan(sa.select(*results.values()).select_from(groups))
    except StatementError as error:
        subject.failed |= dict.fromkeys(results, str(error))
    else:
        subject.measured |= dict(zip(results, row, strict=True))


def study_numbers(
    lane: Lane, relation: Relation, subject: Subject, dialect: Dialect, bins: int, irregular: bool
) -> None:
    """Distinct values, histogram, mean and standard deviation of a column of numbers, after the first scan.

    :param irregular: the column holds values that only the distinct count takes in.
    """
    if subject.measured.get("non_null") == 0:
        subject.measured |= {"distinct": 0, "mean": None, "stddev": None, "histogram": []}
        return
    subject.measured |= _without_asking(subject, irregular)
    open_questions = _open_questions(subject)
    if open_questions - {"distinct"}:
        try:
            _keep(subject, bins, lane.scan(_statement(relation, subject, bins, irregular)))
        except StatementError as error:
            subject.failed |= dict.fromkeys(open_questions, str(error))
            if error.exhausted:
                return
        else:
            return
    if "distinct" in open_questions:
        study_values(lane, relation, subject, dialect)


def _without_asking(subject: Subject, irregular: bool) -> dict[str, Any]:
    """What follows from the first scan alone."""
    low, high = (subject.measured.get(name) for name in ("low", "high"))
    count, average = (subject.measured.get(name) for name in ("non_null", "average"))
    if irregular and low is None and high is None:
        return {"mean": None, "stddev": None, "histogram": []}
    if low is not None and low == high and count is not None and not irregular:
        return {
            "distinct": 1,
            "mean": float(low),
            "stddev": 0.0 if count > 1 else None,
            "histogram": histogram((float(low), float(low)), {0: count}),
        }
    return {"mean": average} if is_finite(average) else {}


def _open_questions(subject: Subject) -> set[str]:
    """The names that only the groups can answer; without extremes they can answer no more than the distinct count."""
    wanted = subject.wanted
    questions: set[str] = {
        name for name in ("mean", "stddev", "histogram") if name in wanted and name not in subject.measured
    }
    if not {"low", "high"} <= subject.measured.keys():
        questions = set()
    if wanted & DISTINCT and "distinct" not in subject.measured:
        questions.add("distinct")
    return questions


def _groups(relation: Relation, subject: Subject, **derived: sa.ColumnElement[Any]) -> Any:
    """Distinct values and their numbers, with what is derived from a value, once a value.

    For a dense column that is every value with the number 1, as grouping would only cost.
    """
    columns = [subject.value.label("value"), *(expression.label(name) for name, expression in derived.items())]
    if subject.dense or not subject.wanted & DISTINCT:
        query = relation.select(*columns, sa.literal_column("1").label("number"))
    else:
        query = relation.select(*columns, sa.func.count().label("number")).group_by(subject.value)
    return query.where(subject.value.is_not(None)).subquery("g")


def _distinct(groups: Any, subject: Subject) -> sa.ColumnElement[int]:
    return sa.func.count(groups.c.value.distinct()) if subject.dense else sa.func.count()


def _statement(relation: Relation, subject: Subject, bins: int, irregular: bool) -> sa.Select[Any]:
    frame = _frame(subject)
    double: Any = sa.cast(subject.value, DOUBLE)
    difference: Any = frame.difference(subject.value)
    if irregular:
        regular = between(subject.value, frame.low, frame.high)
        double, difference = sa.case((regular, double)), sa.case((regular, difference))
    groups = _groups(relation, subject, double=double, difference=difference)
    number: Any = bin_number(groups.c.double, _edges(subject, bins))
    if irregular:
        number = sa.case((groups.c.double.is_not(None), number))
    scaled = frame.scaled(groups.c.difference)
    binned = sa.select(groups.c.value, groups.c.number, number.label("bin"), scaled.label("z")).subquery("b")
    return sa.select(
        binned.c.bin,
        _distinct(binned, subject),
        sa.func.sum(binned.c.number),
        sa.func.sum(binned.c.number * binned.c.z),
        sa.func.sum(binned.c.number * (binned.c.z * binned.c.z)),
    ).group_by(binned.c.bin)


def _keep(subject: Subject, bins: int, rows: Sequence[Any]) -> None:
    regular = [row for row in rows if row[0] is not None]
    counts = {int(row[0]): int(row[2]) for row in regular}
    count = sum(counts.values())
    total, squares = (math.fsum(row[at] for row in regular) for at in (3, 4))
    frame = _frame(subject)
    subject.measured |= {
        "distinct": sum(int(row[1]) for row in rows),
        "mean": frame.mean(count, total),
        "histogram": histogram(_edges(subject, bins), counts),
    }
    try:
        subject.measured["stddev"] = frame.deviation(count, total, squares)
    except OverflowError as error:
        subject.failed["stddev"] = str(error)


def _edges(subject: Subject, bins: int) -> Sequence[float]:
    if "histogram" not in subject.wanted:
        bins = 1
    return bin_edges(subject.measured["low"], subject.measured["high"], bins)


def _frame(subject: Subject) -> Frame:
    measured = subject.measured
    return Frame.of(subject.kind, measured["low"], measured["high"], measured.get("average"))
