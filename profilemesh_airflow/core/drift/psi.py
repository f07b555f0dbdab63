"""The population stability index of two histograms."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import inf, log, sqrt
from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.histogram import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.core.drift.histogram import Histogram

#: The 95 % quantile of the standard normal distribution.
_NORMAL_95 = 1.6449


def stability_index(one: Histogram, other: Histogram) -> float:
    """``PSI = sum((p - q) * ln(p / q))`` over bins in which one has the share ``p`` of its values, the other ``q``.

    (Naeem Siddiqi, "Credit Risk Scorecards", 2006; the sum of both Kullback-Leibler divergences.) From 0 up; the same
    whichever is first. As 0 has no logarithm, half a value of the smaller histogram is added to each share.

    The bins are those of one histogram, and in front of and behind them what the other has there. Its shares of them
    are known between bounds only. Of all that are possible, those are taken whose index is the least: drift that two
    histograms need not have is not reported. That is done with either's bins, and the greater index is the result.
    """
    half = 0.5 / min(one.total, other.total)
    return max(_index(one, other, half), _index(other, one, half))


def chance_index(one: Histogram, other: Histogram) -> float:
    """The index that two samples of the same distribution stay below 19 times in 20.

    ``(1 / n + 1 / m)`` times the 95 % quantile of chi-squared with one degree of freedom less than there are bins
    (B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 14, 2020); the quantile by E. B. Wilson and M. M. Hilferty, "The distribution of chi-square", 1931.
    """
    freedom = max(len(one.counts), len(other.counts), 2) - 1
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + _NORMAL_95 * sqrt(spread)) ** 3
    return (1 / one.total + 1 / other.total) * quantile


def _index(binned: Histogram, bounded: Histogram, half: float) -> float:
    shares = (0.0, *binned.shares, 0.0)
    whole = 1.0 + half * len(shares)
    known = [(share + half) / whole for share in shares]
    bounds = [
        Bounds((each.low + half * place) / whole, (each.high + half * place) / whole)
        for place, each in enumerate([*bounded.bounds_at(binned), Bounds(1.0, 1.0)], start=1)
    ]
    possible = [after - before for before, after in pairwise((0.0, *straightest(known, bounds)))]
    return sum((p - q) * log(p / q) for p, q in zip(known, possible, strict=True))


def straightest(widths: Sequence[float], bounds: Sequence[Bounds]) -> list[float]:
    """The heights of the tautest string from 0 through the bounds, which stand at the ends of steps of these widths.

    The string that goes as straight as it can between lower and upper bounds has, of all lines that do, the least sum
    of ``width * f(slope)`` for every convex ``f`` (R. E. Barlow et al., "Statistical Inference under Order
    Restrictions", 1972; P. L. Davies and A. Kovac, "Local Extremes, Runs, Strings and Multiresolution", 2001). With
    shares ``p`` as widths and shares ``q`` as rises, ``f(s) = (s - 1) * ln(s)`` makes that sum the stability index.
    """
    places = list(accumulate(widths, initial=0.0))
    gates = [Bounds(0.0, 0.0), *bounds]
    heights = [0.0]
    while len(heights) < len(places):
        start, height = len(heights) - 1, heights[-1]
        bend, target = _next_bend(places, gates, start, height)
        slope = (target - height) / (places[bend] - places[start])
        heights += [height + slope * (place - places[start]) for place in places[start + 1 : bend]]
        heights.append(target)
    return heights[1:]


def _next_bend(places: Sequence[float], gates: Sequence[Bounds], start: int, height: float) -> tuple[int, float]:
    """Where a string that is at some height has to bend for the first time, and the height it has there."""
    at_low, at_high = start, start
    steepest_low, flattest_high = -inf, inf
    for place in range(start + 1, len(places)):
        run = places[place] - places[start]
        low, high = (gates[place].low - height) / run, (gates[place].high - height) / run
        if low > flattest_high:
            return at_high, gates[at_high].high
        if high < steepest_low:
            return at_low, gates[at_low].low
        if low >= steepest_low:
            at_low, steepest_low = place, low
        if high <= flattest_high:
            at_high, flattest_high = place, high
    return len(places) - 1, gates[-1].low
