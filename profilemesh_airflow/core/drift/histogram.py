"""What a stored histogram says of the values it was made of, and what it leaves open."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.numbers import number_of

if TYPE_CHECKING:
    from profilemesh_airflow.core.profile import MetricValue

#: When values are not taken as evenly spread: bins of so many times the other's width, or of so many times the values
#: of the fuller neighbour, or with less than so many distinct values each.
_MUCH_WIDER, _HEAP, _MANY_DISTINCT = 1.25, 2, 10


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest share, from 0 to 1, that values below some edge may have."""

    low: float
    high: float

    def nearest(self, share: float) -> float:
        """The possible share that is nearest to another."""
        return min(max(share, self.low), self.high)


@dataclass(frozen=True)
class Histogram:
    """Counts of adjoining bins of equal width, which are half-open but for the last: ``[a, b), [b, c), ..., [y, z]``.

    Two runs have different bins, as these go from the least to the greatest value. Which share of the values lies below
    an edge of the other histogram is known exactly where this one has an edge too, and else between
    :class:`Bounds`: somewhere between none and all of the bin that the edge cuts. Only where the values of that bin may
    be taken as evenly spread is it one number, by linear interpolation. They may, where

    - there are at least ten distinct values for each bin: few values are heaps, as of small whole numbers;
    - the bin has at most twice as many values as its fuller neighbour: more is a heap, as of zeros;
    - this histogram's bins are not much wider than the other's: one outlier stretches all of them.

    To spread them evenly in spite of that would make up a drift.

    :param edges: ascending; one more than there are counts.
    :param distinct: how many distinct values there are, if that is known.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    distinct: float | None = None

    @cached_property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    @cached_property
    def shares(self) -> list[float]:
        """The share of the values that is in each bin."""
        return [count / self.total for count in self.counts]

    @cached_property
    def cumulated(self) -> list[float]:
        """The share of the values that lies below each edge, and not above the last: from 0 to 1."""
        return [count / self.total for count in accumulate(self.counts, initial=0)]

    def bounds_at(self, other: Histogram) -> list[Bounds]:
        """Which share may lie below each edge of another histogram, and not above its last."""
        wide = self._width > _MUCH_WIDER * other._width
        many = self.distinct is not None and self.distinct >= _MANY_DISTINCT * len(self.counts)
        even = many and not wide
        return [*(self._below(edge, even) for edge in other.edges[:-1]), self._not_above(other.edges[-1], even)]

    @property
    def _width(self) -> float:
        return (self.edges[-1] - self.edges[0]) / len(self.counts)

    def _below(self, edge: float, even: bool) -> Bounds:
        if edge <= self.edges[0]:
            return Bounds(0.0, 0.0)
        if edge > self.edges[-1]:
            return Bounds(1.0, 1.0)
        place = bisect_left(self.edges, edge)
        if self.edges[place] == edge and place < len(self.counts):
            return Bounds(self.cumulated[place], self.cumulated[place])
        return self._within(place - 1, edge, even)

    def _not_above(self, edge: float, even: bool) -> Bounds:
        if edge < self.edges[0]:
            return Bounds(0.0, 0.0)
        if edge >= self.edges[-1]:
            return Bounds(1.0, 1.0)
        return self._within(bisect_right(self.edges, edge) - 1, edge, even)

    def _within(self, place: int, edge: float, even: bool) -> Bounds:
        """The bounds at an edge that cuts a bin."""
        low, high = self.cumulated[place : place + 2]
        start, end = self.edges[place : place + 2]
        neighbours = self.counts[max(place - 1, 0) : place] + self.counts[place + 1 : place + 2]
        if not even or self.counts[place] > _HEAP * max(neighbours, default=0):
            return Bounds(low, high)
        share = low + (high - low) * ((edge - start) / (end - start))
        return Bounds(share, share)


def histogram_of(value: MetricValue, distinct: MetricValue = None) -> Histogram | None:
    """A stored histogram; none where it is not one, or has no values, or its bins do not adjoin.

    :param distinct: how many distinct values there are, if that is known.
    """
    if not isinstance(value, list) or not value:
        return None
    bins = [_bin_of(each) for each in value]
    known = [each for each in bins if each is not None]
    if len(known) < len(bins) or any(one[1] != other[0] for one, other in pairwise(known)):
        return None
    edges = (known[0][0], *(end for _, end, _ in known))
    counts = tuple(count for _, _, count in known)
    ascending = all(low <= high for low, high in pairwise(edges))
    return Histogram(edges, counts, number_of(distinct)) if ascending and min(counts) >= 0 and any(counts) else None


def _bin_of(each: object) -> tuple[float, float, int] | None:
    if not isinstance(each, Mapping):
        return None
    start, end, count = (number_of(each.get(name)) for name in ("bin_start", "bin_end", "count"))
    return None if start is None or end is None or count is None else (start, end, int(count))
