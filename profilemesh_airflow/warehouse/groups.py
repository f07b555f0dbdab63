"""The second look at a column: its distinct values with their numbers give the distinct count, the histogram, the
standard deviation and text lengths, all exact, in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import bin_edges, bin_number, histogram
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
    """Distinct values of a column that is not numeric, and text lengths."""
    groups = _groups(relation, subject)
    results: dict[str, sa.ColumnElement[Any]] = {"distinct": _distinct(groups, subject)}
    if subject.lengths_from_groups:
        length = dialect.length(groups.c.value)
        results |= {
            "min_length": sa.func.min(length),
            "max_length": sa.func.max(length),
            "total_length": sa.func.sum(length * groups.c.number),
            "non_null": sa.func.sum(groups.c.number),
        }
    try:
        (row,) = lane.scan(sa.select(*results.values()))
    except StatementError as error:
        subject.failed |= dict.fromkeys(results, str(error))
    else:
        subject.measured |= dict(zip(results, row, strict=True))


def study_numbers(lane: Lane, relation: Relation, subject: Subject, bins: int, irregular: bool) -> None:
    """Distinct values, histogram, mean and standard deviation of a column of numbers whose extremes are known."""
    numbers = _Numbers(subject, bins, irregular)
    if numbers.settled():
        return
    try:
        rows = lane.scan(numbers.statement(relation))
    except StatementError as error:
        subject.failed |= dict.fromkeys(("stddev", "histogram"), str(error))
        if subject.wanted & DISTINCT:
            study_values(lane, relation, subject, dialect)
    else:
        numbers.keep(rows)
