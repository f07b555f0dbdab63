"""The metrics of a column whose values are here, under the names that the SQL way has for them.

Numbers are sorted once; all but mean and standard deviation is then found by halving.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from profilemesh_airflow.warehouse.bins import bin_edges, histogram
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.ranks import TOP, TWENTIETHS
from profilemesh_airflow.warehouse.stream.columns import BLOCK, Hashes, Numbers, Texts
from profilemesh_airflow.warehouse.stream.source import Found
from profilemesh_airflow.warehouse.stream.spread import measure_spread
from profilemesh_airflow.warehouse.stream.times import iso_8601

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from profilemesh_airflow.warehouse.stream.columns import AnyColumn, Array, Truths
    from profilemesh_airflow.warehouse.stream.source import Wish

    Show = Callable[[Any], Any]


def measure(column: AnyColumn, bins: int) -> Found:
    """Measure all that is wanted of a column.

    :raises UnfitError: the database has to do it.
    """
    if isinstance(column, Texts):
        return _of_texts(column)
    if isinstance(column, Hashes):
        return _of_hashes(column)
    if not isinstance(column, Numbers):
        return _of_truths(column)
    values = column.in_order()
    found = Found({"non_null": len(values), "distinct": _distinct(values)})
    if column.wish.kind.numeric:
        _measure_numbers(found, column.wish, values, bins)
    elif column.wish.kind is Kind.TEMPORAL:
        _measure_times(found, column, values)
    else:
        _count_truths(found, values)
        _measure_ranks(found, column.wish, values, _as_it_is)
    return found


def _as_it_is(value: Any) -> Any:
    return value.item()


def _of_truths(column: Truths) -> Found:
    counts = [(1, column.true), (0, column.false)]
    top = sorted(((value, number) for value, number in counts if number), key=lambda each: (-each[1], each[0]))
    return Found(
        {
            "non_null": column.true + column.false,
            "distinct": len(top),
            "true_count": column.true,
            "false_count": column.false,
            "top_values": top,
        }
    )


def _of_hashes(column: Hashes) -> Found:
    least, greatest = column.lengths or (None, None)
    measured = {
        "non_null": column.count,
        "distinct": column.distinct(),
        "min_length": least,
        "max_length": greatest,
        "avg_length": column.letters / column.count if column.count else None,
        "empty_count": column.empty,
    }
    return Found(measured, hashed=True)


def _of_texts(column: Texts) -> Found:
    found = _of_hashes(column)
    first, last = column.extremes or (None, None)
    found.measured |= {
        **dict.fromkeys(("min_text", "low"), first),
        **dict.fromkeys(("max_text", "high"), last),
    }
    if "top_values" in column.wish.metrics:
        numbers = column.texts().alias("value").value_counts(name="number")
        top = numbers.sort("number", "value", descending=[True, False]).head(TOP)
        found.measured["top_values"] = list(top.iter_rows())
    return found


def _measure_numbers(found: Found, wish: Wish, values: Array, bins: int) -> None:
    negative = _below(values, 0)
    found.measured |= {"zero_count": _upto(values, 0) - negative, "negative_count": negative}
    if values.dtype == np.float64:
        values = values[_upto(values, -np.inf) : _below(values, np.inf)]
    units, show = _in_units(wish.field.decimals)
    _measure_ranks(found, wish, values, show)
    if not len(values):
        found.measured |= {"low": None, "high": None, "mean": None, "stddev": None, "histogram": []}
        return
    low, high = show(values[0]), show(values[-1])
    found.measured |= {"low": low, "high": high}
    if wish.metrics & {"mean", "stddev"}:
        measure_spread(found, wish, values, units)
    if "histogram" in wish.metrics:
        edges = bin_edges(low, high, bins)
        found.measured["histogram"] = histogram(edges, _counts(values, edges))


def _in_units(decimals: int | None) -> tuple[Callable[[Array], Array], Show]:
    """Decimal numbers as whole numbers of their last digit, others as they are; and how one value is shown."""
    if decimals is None:
        return lambda values: values, _as_it_is

    def units(values: Array) -> Array:
        whole: Array = np.rint(values * 10.0**decimals).astype(np.int64)
        return whole

    return units, lambda value: Decimal(units(value).item()).scaleb(-decimals)


def _counts(values: Array, edges: Sequence[float]) -> dict[int, int]:
    """How many values are in each bin, from how many are below each edge."""
    below = [0, *(bisect_left(values, edge, key=float) for edge in edges[1:-1]), len(values)]
    return {number: upto - below[number] for number, upto in enumerate(below[1:])}


def _measure_times(found: Found, column: Numbers, values: Array) -> None:
    infinite = column.wish.field.infinite
    finite = values if infinite is None else values[_upto(values, infinite) :]
    to_text = iso_8601(column.dtype or pl.Null())

    def show(value: Any) -> Any:
        return to_text(value.item())

    # The extremes go first, as they say whether all others can be shown.
    low, high = (show(finite[0]), show(finite[-1])) if len(finite) else (None, None)
    found.measured |= {"low": low, "high": high}
    _measure_ranks(found, column.wish, finite, show)


def _count_truths(found: Found, values: Array) -> None:
    none, false, true = _below(values, 0), _upto(values, 0), _upto(values, 1)
    found.measured |= {"true_count": true - _below(values, 1), "false_count": false - none}


def _below(values: Array, number: float) -> int:
    """How many of the values, which are in order, are less; of doubles NaN is the greatest."""
    return int(np.searchsorted(values, number)) if values.dtype == np.float64 else bisect_left(values, number)


def _upto(values: Array, number: float) -> int:
    """How many are less or equal."""
    return int(np.searchsorted(values, number, "right")) if values.dtype == np.float64 else bisect_right(values, number)


def _distinct(values: Array) -> int:
    """How many different values there are among values in order; NaN is one."""
    if values.dtype == np.float64 and len(values) and np.isnan(values[-1]):
        return 1 + _distinct(values[: _below(values, np.nan)])
    before, after = values[:-1], values[1:]
    blocks = (slice(start, start + BLOCK) for start in range(0, len(after), BLOCK))
    return bool(len(values)) + sum(int(np.count_nonzero(after[block] != before[block])) for block in blocks)


def _measure_ranks(found: Found, wish: Wish, values: Array, show: Show) -> None:
    """Quantiles and the most frequent values, as :mod:`~profilemesh_airflow.warehouse.ranks` defines them."""
    count = len(values)
    for name, part in TWENTIETHS.items():
        if name in wish.metrics:
            found.measured[name] = show(values[-(-count * part // 20) - 1]) if count else None
    if "top_values" in wish.metrics:
        starts = np.flatnonzero(np.concatenate(([count > 0], values[1:] != values[:-1])))
        numbers = np.diff(starts, append=count)
        most = np.argsort(-numbers, kind="stable")[:TOP]
        found.measured["top_values"] = [(show(values[starts[at]]), int(numbers[at])) for at in most]
