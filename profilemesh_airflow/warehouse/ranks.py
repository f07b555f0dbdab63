"""The values of a column in order: its quantiles, and the values that occur most often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.subject import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: How many of the most frequent values are kept.
TOP = 10

#: Quantiles are twentieths, so that their place among the rows is found in whole numbers.
TWENTIETHS = {name: int(name[1:]) // 5 for name in QUANTILES}


def study_ranks(lane: Lane, relation: Relation, subject: Subject, dialect: Dialect, irregular: bool) -> None:
    """Find the quantiles and the most frequent values in one statement.

    :param irregular: the column holds values that have no place among them.
    """
    names = subject.ranked
    try:
        rows = lane.scan(_statement(relation, subject, dialect, irregular))
    except StatementError as error:
        subject.failed |= dict.fromkeys(names, str(error))
        return
    ordered = sorted((row for row in rows if row.place <= TOP), key=lambda row: row.place)
    found: dict[str, Any] = {"top_values": [(row.shown, int(row.number)) for row in ordered]}
    for name, part in TWENTIETHS.items():
        found[name] = next((row.shown for row in rows if _is_quantile(row, part)), None)
    subject.measured |= {name: found[name] for name in names}


def _is_quantile(row: Any, part: int) -> bool:
    """Whether a value is the least one that ``part`` twentieths of all rows do not exceed.

    That is the first of the definitions of Hyndman and Fan 1996, "Sample Quantiles in Statistical Packages": always a
    value of the column, as ``percentile_disc`` of SQL gives it.
    """
    place, total = 20 * int(row.upto), part * int(row.total)
    return place >= total > place - 20 * int(row.number)


def _statement(relation: Relation, subject: Subject, dialect: Dialect, irregular: bool) -> sa.Select[Any]:
    value = subject.value
    groups = relation.select(value.label("value"), sa.func.count().label("number")).where(value.is_not(None))
    if irregular or subject.kind is Kind.TEMPORAL:
        groups = groups.where(dialect.finite(value, subject.kind))
    elif subject.kind is Kind.TEXT:
        groups = groups.where(dialect.code_point_order(value).is_not(None))
    grouped = groups.group_by(value).subquery("g")
    order = dialect.code_point_order(grouped.c.value) if subject.kind is Kind.TEXT else grouped.c.value
    ranked = sa.select(
        grouped.c.value,
        grouped.c.number,
        sa.func.row_number().over(order_by=(grouped.c.number.desc(), order)).label("place"),
        *_running(grouped, order, subject),
    ).subquery("r")
    quantiles = (
        sa.and_(
            ranked.c.upto * 20 >= ranked.c.total * part, (ranked.c.upto - ranked.c.number) * 20 < ranked.c.total * part
        )
        for name, part in TWENTIETHS.items()
        if name in subject.ranked
    )
    return sa.select(
        dialect.extreme(ranked.c.value, subject.kind).label("shown"),
        ranked.c.number,
        ranked.c.place,
        ranked.c.upto,
        ranked.c.total,
    ).where(sa.or_(ranked.c.place <= TOP, *quantiles))


def _running(grouped: Any, order: Any, subject: Subject) -> Sequence[sa.ColumnElement[Any]]:
    """How many rows there are up to a value, and in all; only quantiles need it."""
    if subject.ranked <= {"top_values"}:
        return sa.literal_column("0").label("upto"), sa.literal_column("0").label("total")
    total = sa.func.sum(grouped.c.number)
    return total.over(order_by=order).label("upto"), total.over().label("total")
