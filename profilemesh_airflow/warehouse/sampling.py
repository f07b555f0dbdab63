"""The sample of a table's rows that one profile is of.

A sample is a condition on the rows, or the database's own TABLESAMPLE, fixed once: every statement of the profile sees
the same rows, and so does every later profile of the same data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.exceptions import NotBuiltError, ProfileError
from profilemesh_airflow.warehouse.dialects.base import HASHES
from profilemesh_airflow.warehouse.partitions import find_key
from profilemesh_airflow.warehouse.relation import Relation, TableSample
from profilemesh_airflow.warehouse.strata import cutoffs

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import Column, Sampling, TableInfo, TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.partitions import Partitions

#: Blocks that are a fair sample by themselves; fewer hold too few different rows where neighbours are alike.
_MANY_BLOCKS = 1000

#: So few rows are drawn in their exact number: a chance sample varies by about the square root of it, and may be empty.
_FEW = 10_000

_METHODS = ("random", "stratified", "topk")


@dataclass(frozen=True)
class Sample:
    """The rows that were drawn.

    :param notes: how, fit for JSON.
    :param reads_all: whether a statement reads the rows that were not drawn, too.
    """

    relation: Relation
    notes: dict[str, Any]
    reads_all: bool


def check_sampling(info: TableInfo, settings: TableSettings, dialect: Dialect) -> None:
    """Refuse a sample that cannot be drawn.

    :raises ProfileError: the setting does not fit the table.
    :raises NotBuiltError: rows of such a table cannot be told apart.
    """
    sampling = settings.sampling
    if sampling is None:
        return
    if sampling.method not in _METHODS:
        raise ProfileError(f"{info.ref}: unknown sampling method {sampling.method!r}; one of {', '.join(_METHODS)}")
    if sampling.method == "topk" and _by(info, settings) is None:
        raise ProfileError(f"{info.ref}: sampling method topk needs `by`, the column whose greatest values it takes")
    if _is_random(info, settings) and info.kind in dialect.tablesample:
        return
    if dialect.row_hash(info, sampling.seed) is None:
        raise NotBuiltError(
            f"{info.ref}: no repeatable sample can be drawn of this {info.kind}, as its rows cannot be told apart; "
            "remove `sampling` (`sample_ratio`) to profile all rows"
        )


class Sampler:
    """Draws the sample of one table.

    :param partitions: what the sample is drawn of, if not all rows.
    """

    def __init__(
        self, lane: Lane, info: TableInfo, settings: TableSettings, dialect: Dialect, partitions: Partitions | None
    ) -> None:
        assert settings.sampling is not None
        self._lane = lane
        self._info = info
        self._sampling: Sampling = settings.sampling
        self._by = _by(info, settings)
        self._dialect = dialect
        self._partitions = partitions

    def draw(self) -> Sample:
        """The sample, by the configured method."""
        if self._sampling.method == "topk":
            return self._top()
        if self._sampling.method == "stratified" and self._by is not None:
            return self._stratified(self._by)
        if self._sampling.max_rows is not None and self._sampling.max_rows <= _FEW:
            return self._few()
        return self._random()

    def _few(self) -> Sample:
        """Those with the least hashes; of rows with equal ones, as equal rows of a view are, all or none."""
        everything, hashed = self._everything(), self._hash()
        count = self._quota(self._count(everything))
        notes = {"method": "hash", "seed": self._sampling.seed}
        if not count:
            return Sample(everything.where(sa.false()), notes, reads_all=True)
        ranked = everything.select(hashed.label("h")).order_by(hashed).limit(2).offset(count - 1)
        greatest, *after = (row[0] for row in self._lane.scan(ranked))
        limit: Any = sa.literal_column(str(greatest))
        drawn = hashed < limit if greatest in after else hashed <= limit
        return Sample(everything.where(drawn), notes, reads_all=True)

    def _random(self) -> Sample:
        """Smaller and smaller ones, until it holds no more than ``max_rows``; each is a part of the one before."""
        sampling, fraction = self._sampling, self._first_fraction()
        while True:
            sample = self._of_fraction(fraction)
            if sampling.max_rows is None:
                return sample
            rows = self._count(sample.relation)
            if rows <= sampling.max_rows:
                return sample
            fraction *= _within(sampling.max_rows, rows)

    def _first_fraction(self) -> float:
        sampling, rows = self._sampling, self._info.estimated_rows
        if sampling.max_rows is None or not rows or self._partitions is not None:
            return sampling.fraction
        return min(sampling.fraction, _within(sampling.max_rows, rows))

    def _of_fraction(self, fraction: float) -> Sample:
        info, seed = self._info, self._sampling.seed
        notes = {"fraction": fraction, "seed": seed}
        if info.kind in self._dialect.tablesample:
            blocks = (info.estimated_bytes or 0) / self._dialect.block_bytes * fraction
            by_block = blocks >= _MANY_BLOCKS and self._partitions is None
            method = "system" if by_block else "bernoulli"
            relation = self._narrow(Relation.of(info, TableSample(method, fraction, seed)))
            return Sample(relation, {**notes, "method": f"tablesample {method}"}, reads_all=not by_block)
        everything = self._everything()
        chosen = everything.where(self._hash() < sa.literal_column(str(math.ceil(fraction * HASHES))))
        return Sample(chosen, {**notes, "method": "hash"}, reads_all=True)

    def _stratified(self, by: Column) -> Sample:
        everything, hashed = self._everything(), self._hash()
        of_stratum = cutoffs(self._lane, everything, self._info, by, hashed, self._sampling, self._dialect)
        notes = {"method": "stratified", "by": by.name, "seed": self._sampling.seed, "strata": of_stratum.strata}
        return Sample(everything.where(of_stratum.reaches(hashed)), notes, reads_all=True)

    def _top(self) -> Sample:
        """Rows with equal values are told apart by their hash; rows without a value are never among the first."""
        assert self._by is not None
        dialect, key = self._dialect, self._by
        known = self._everything()
        column, hashed = known.column(key.name), self._hash()
        known = known.where(column.is_not(None))
        count = self._quota(self._count(known))
        notes = {"method": "topk", "by": key.name, "seed": self._sampling.seed}
        ranked = known.select(column.label("k"), hashed.label("h")).order_by(column.desc(), hashed)
        if not count:
            return Sample(known.where(sa.false()), notes, reads_all=True)
        last = ranked.limit(1).offset(count - 1).subquery("p")
        ((value, greatest_hash),) = self._lane.scan(sa.select(dialect.partition_key(last.c.k), last.c.h))
        least = dialect.partition_value(key, value)
        among = sa.and_(column == least, hashed <= sa.literal_column(str(greatest_hash)))
        return Sample(known.where(sa.or_(column > least, among)), notes, reads_all=True)

    def _quota(self, rows: int) -> int:
        wanted = round(self._sampling.fraction * rows)
        return wanted if self._sampling.max_rows is None else min(wanted, self._sampling.max_rows)

    def _everything(self) -> Relation:
        return self._narrow(Relation.of(self._info))

    def _narrow(self, relation: Relation) -> Relation:
        return relation if self._partitions is None else self._partitions.of(relation, self._dialect)

    def _hash(self) -> sa.ColumnElement[int]:
        hashed = self._dialect.row_hash(self._info, self._sampling.seed)
        assert hashed is not None
        return hashed

    def _count(self, relation: Relation) -> int:
        ((rows,),) = self._lane.scan(relation.select(sa.func.count()))
        return int(rows)


def _within(most: int, rows: int) -> float:
    """The share of ``rows`` that gives at most ``most`` of them with a chance of more than 99.8 %.

    The number drawn varies by about its square root: this stays three times that below.
    """
    return max(most - 3 * math.sqrt(most), most / 4) / rows


def _is_random(info: TableInfo, settings: TableSettings) -> bool:
    """A stratified sample without a column has one stratum: it is a random one."""
    assert settings.sampling is not None
    method = settings.sampling.method
    return method == "random" or (method == "stratified" and _by(info, settings) is None)


def _by(info: TableInfo, settings: TableSettings) -> Column | None:
    assert settings.sampling is not None
    name = settings.sampling.by
    if name is None:
        return None if settings.partition is None else find_key(info, settings.partition)
    column = next((column for column in info.columns if column.name == name), None)
    if column is None:
        names = ", ".join(column.name for column in info.columns)
        raise ProfileError(f"{info.ref}: sampling.by {name!r} is not a column of it; it has {names}")
    return column
