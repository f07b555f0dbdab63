"""How many rows a stratified sample has of each stratum, and which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.exceptions import ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.core.plan import Column, Sampling, TableInfo
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation

#: A column with more different values than this has no strata.
MOST_STRATA = 500


@dataclass(frozen=True)
class Cutoffs:
    """Of each stratum, the greatest hash of a row that is drawn.

    :param whens: pairs of condition and cutoff; a stratum without one has no row in the sample.
    :param greatest: the greatest cutoff: most rows are beyond it, and need no look at their stratum.
    """

    whens: Sequence[tuple[sa.ColumnElement[bool], sa.ColumnElement[int]]]
    strata: int
    greatest: int = -1

    def reaches(self, hashed: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """SQL that is true for the rows that are drawn."""
        if not self.whens:
            return sa.false()
        return sa.and_(hashed <= sa.literal_column(str(self.greatest)), hashed <= sa.case(*self.whens))


def allocate(sizes: Sequence[int], fraction: float, most: int | None) -> list[int]:
    """How many rows to draw of strata of these sizes: in proportion, ``fraction`` of all and at most ``most``.

    Rounded by largest remainders (Hamilton's method), so that the sum is exact and no stratum is off by a whole row.
    """
    total = sum(sizes)
    wanted = round(total * fraction) if most is None else min(round(total * fraction), most)
    quotas = [(size * wanted, total) for size in sizes]
    drawn = [part // whole for part, whole in quotas]
    remainders = sorted(range(len(sizes)), key=lambda at: quotas[at][0] % quotas[at][1], reverse=True)
    for at in remainders[: wanted - sum(drawn)]:
        drawn[at] += 1
    return drawn


def cutoffs(
    lane: Lane,
    relation: Relation,
    info: TableInfo,
    by: Column,
    hashed: sa.ColumnElement[int],
    sampling: Sampling,
    dialect: Dialect,
) -> Cutoffs:
    """Look up the strata, and then the cutoff of each: two scans.

    :raises ProfileError: the column has too many different values.
    """
    column = relation.column(by.name)
    counted = relation.select(column.label("k"), sa.func.count().label("n")).group_by(column)
    groups = counted.limit(MOST_STRATA + 1).subquery("p")
    strata = lane.scan(sa.select(dialect.partition_key(groups.c.k), groups.c.n))
    if len(strata) > MOST_STRATA:
        raise ProfileError(
            f"{info.ref}: {by.name} has more than {MOST_STRATA} different values, too many for strata; "
            "choose another column in sampling.by"
        )
    numbers = allocate([int(row[1]) for row in strata], sampling.fraction, sampling.max_rows)
    drawn = [(row[0], number) for row, number in zip(strata, numbers, strict=True) if number]
    if not drawn:
        return Cutoffs([], len(strata))

    def case_of(values: Sequence[tuple[Any, int]]) -> list[tuple[sa.ColumnElement[bool], sa.ColumnElement[int]]]:
        return [
            (
                column.is_(None) if value is None else column == dialect.partition_value(by, value),
                sa.literal_column(str(number)),
            )
            for value, number in values
        ]

    place = sa.func.row_number().over(partition_by=column, order_by=hashed)
    ranked = relation.select(column.label("k"), hashed.label("h"), place.label("place"), _numbers(case_of(drawn)))
    inner = ranked.subquery("p")
    greatest = (
        sa.select(inner.c.k.label("k"), sa.func.max(inner.c.h).label("h"))
        .where(inner.c.place <= inner.c.number)
        .group_by(inner.c.k)
        .subquery("g")
    )
    found = lane.scan(sa.select(dialect.partition_key(greatest.c.k), greatest.c.h))
    last = [(row[0], int(row[1])) for row in found]
    return Cutoffs(case_of(last), len(strata), max(number for _, number in last))


def _numbers(whens: Sequence[tuple[sa.ColumnElement[bool], sa.ColumnElement[int]]]) -> sa.ColumnElement[int]:
    return sa.case(*whens).label("number")
