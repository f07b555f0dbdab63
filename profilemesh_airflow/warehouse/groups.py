"""The second look at a column: its distinct values and how often each occurs.

They give the distinct count, the histogram, mean and standard deviation, and the lengths of texts, all exact and in one
statement.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import histogram
from profilemesh_airflow.warehouse.double import as_double, ratio
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import between, is_finite
from profilemesh_airflow.warehouse.shape import edges_of, frame_of, keep_deviation
from profilemesh_airflow.warehouse.subject import DISTINCT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: What sums over the values tell.
_MOMENTS = {"mean", "stddev"}

#: The square of so small a difference is a double of all its digits, as are those of 1e-13 of it.
_NO_SQUARE_VANISHES = 1e-140


def study_values(lane: Lane, relation: Relation, subject: Subject, dialect: Dialect) -> None:
    """Count the distinct values of a column, and measure the lengths of texts."""
    groups = _groups(relation, subject)
    results = {"distinct": sa.func.count(), **lengths_of(subject, groups.c.value, groups.c.number, dialect)}
    try:
        (row,) = lane.scan(sa.select(*results.values()).select_from(groups))
    except StatementError as error:
        subject.failed |= dict.fromkeys(results, str(error))
    else:
        subject.measured |= dict(zip(results, row, strict=True))


def lengths_of(subject: Subject, value: Any, number: Any, dialect: Dialect) -> dict[str, Any]:
    """What is asked of groups about the lengths of texts, where that is wanted of them.

    :param number: how often each value occurs; that of NULL does not count.
    """
    if not subject.lengths_from_groups:
        return {}
    length = dialect.length(value)
    known = sa.func.sum(sa.case((value.is_not(None), number)))
    return {
        "min_length": sa.func.min(length),
        "max_length": sa.func.max(length),
        "avg_length": ratio(sa.func.sum(length * number), known),
    }


def study_numbers(
    lane: Lane, relation: Relation, subject: Subject, dialect: Dialect, bins: int, irregular: Collection[Subject]
) -> None:
    """Distinct values, histogram, mean and standard deviation of a column of numbers, after the first scan.

    :param irregular: the columns that hold values that only the distinct count takes in.
    """
    open_questions = questions_of(subject)
    if open_questions - {"distinct"}:
        try:
            statement = _statement(relation, subject, dialect, bins, subject in irregular, open_questions)
            _keep(subject, dialect, bins, lane.scan(statement), open_questions)
        except StatementError as error:
            subject.failed |= dict.fromkeys(open_questions, str(error))
            if error.exhausted:
                return
        else:
            return
    if "distinct" in open_questions:
        study_values(lane, relation, subject, dialect)


def conclude_from_scan(subject: Subject, irregular: bool) -> None:
    """Of a column of numbers, what follows from the first scan alone.

    :param irregular: it holds values that only the distinct count takes in.
    """
    if subject.measured.get("non_null") == 0:
        subject.measured |= {"distinct": 0, "mean": None, "stddev": None, "histogram": []}
    else:
        subject.measured |= _without_asking(subject, irregular)


def _without_asking(subject: Subject, irregular: bool) -> dict[str, Any]:
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
    known: dict[str, Any] = {}
    if is_finite(average):
        known["mean"] = average
    deviation = subject.measured.get("deviation")
    if is_finite(deviation) and not irregular and _is_told(subject, low, high):
        known["stddev"] = deviation
    return known


def _is_told(subject: Subject, low: Any, high: Any) -> bool:
    """Whether the database's own standard deviation is right: of doubles, that no square vanishes."""
    if subject.kind is not Kind.FLOAT:
        return True
    return is_finite(low) and is_finite(high) and float(high) - float(low) > _NO_SQUARE_VANISHES


def questions_of(subject: Subject) -> set[str]:
    """Of a column of numbers, the names that only its groups can answer.

    Without extremes they can answer no more than the distinct count.
    """
    wanted = subject.wanted
    questions: set[str] = {
        name for name in ("mean", "stddev", "histogram") if name in wanted and name not in subject.measured
    }
    if not {"low", "high"} <= subject.measured.keys():
        questions = set()
    if wanted & DISTINCT and subject.key is None and "distinct" not in subject.measured:
        questions.add("distinct")
    return questions


def _groups(relation: Relation, subject: Subject, **derived: sa.ColumnElement[Any]) -> Any:
    """Distinct values and their numbers, with what is derived from a value, once a value.

    For a column with a sorting key that is every value with the number 1, as grouping would only cost.
    """
    columns = [subject.value.label("value"), *(expression.label(name) for name, expression in derived.items())]
    if subject.key is not None or not subject.wanted & DISTINCT:
        query = relation.select(*columns, sa.literal_column("1").label("number"))
    else:
        query = relation.select(*columns, sa.func.count().label("number")).group_by(subject.value)
    return query.where(subject.value.is_not(None)).subquery("g")


def _statement(
    relation: Relation, subject: Subject, dialect: Dialect, bins: int, irregular: bool, questions: Collection[str]
) -> sa.Select[Any]:
    """One row a bin: its number, those of the distinct values and of the values in it, and sums for the moments."""
    frame = frame_of(subject, dialect.digits)
    double: Any = as_double(subject.value)
    difference: Any = frame.difference(subject.value)
    if irregular:
        regular = between(subject.value, frame.low, frame.high)
        double, difference = sa.case((regular, double)), sa.case((regular, difference))
    derived = {"double": double, "difference": difference} if _MOMENTS & set(questions) else {"double": double}
    groups = _groups(relation, subject, **derived)
    number: Any = dialect.bin_number(groups.c.double, edges_of(subject, bins))
    if irregular:
        number = sa.case((groups.c.double.is_not(None), number))
    columns = [groups.c.number, number.label("bin")]
    if "difference" in derived:
        columns.append(frame.scaled(groups.c.difference).label("z"))
    binned = dialect.computed_once(sa.select(*columns).select_from(groups)).subquery("b")
    sums = [sa.func.count(), sa.func.sum(binned.c.number)]
    if "difference" in derived:
        sums += [sa.func.sum(binned.c.number * binned.c.z), sa.func.sum(binned.c.number * (binned.c.z * binned.c.z))]
    return sa.select(binned.c.bin, *sums).group_by(binned.c.bin)


def _keep(subject: Subject, dialect: Dialect, bins: int, rows: Sequence[Any], questions: Collection[str]) -> None:
    regular = [row for row in rows if row[0] is not None]
    counts = {int(row[0]): int(row[2]) for row in regular}
    subject.measured["histogram"] = histogram(edges_of(subject, bins), counts)
    if "distinct" in questions:
        subject.measured["distinct"] = sum(int(row[1]) for row in rows)
    if not _MOMENTS & set(questions):
        return
    count = sum(counts.values())
    total, squares = (math.fsum(row[at] for row in regular) for at in (3, 4))
    frame = frame_of(subject, dialect.digits)
    subject.measured["mean"] = frame.mean(count, total)
    keep_deviation(subject, frame, count, total, squares)
