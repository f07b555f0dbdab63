"""The histograms of several columns by one statement: the combinations of their bins, and how many rows have each.

For columns of which nothing else is asked any more. There are few combinations, so that the table is read and its rows
are grouped once for all of these columns.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import histogram
from profilemesh_airflow.warehouse.double import as_double
from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.shape import edges_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: Combinations of bins that a statement may have, as each is a row of its answer.
COMBINATIONS = 2048


def study_bins(lane: Lane, relation: Relation, subjects: list[Subject], dialect: Dialect, bins: int) -> list[Subject]:
    """Count how many values are in each bin.

    :param subjects: the first scan has found the extremes of each, all of them regular.
    :return: the columns that are still to be looked at, one by one, where the database refused the statement.
    """
    edges = [edges_of(subject, bins) for subject in subjects]
    numbers = [_bin(subject, each, dialect) for subject, each in zip(subjects, edges, strict=True)]
    binned: Any = relation.select(*(number.label(f"b{at}") for at, number in enumerate(numbers))).subquery("b")
    try:
        rows = lane.scan(sa.select(*binned.c, sa.func.count()).group_by(*binned.c))
    except StatementError:
        return subjects
    for at, subject in enumerate(subjects):
        subject.measured["histogram"] = histogram(edges[at], _counts(rows, at))
    return []


def _bin(subject: Subject, edges: Sequence[float], dialect: Dialect) -> sa.ColumnElement[Any]:
    return sa.case((subject.value.is_not(None), dialect.bin_number(as_double(subject.value), edges)))


def _counts(rows: Sequence[Any], at: int) -> Counter[int]:
    counts: Counter[int] = Counter()
    for row in rows:
        if row[at] is not None:
            counts[int(row[at])] += int(row[-1])
    return counts
