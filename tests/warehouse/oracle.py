"""The metrics computed a second time, independently: with polars for tables, in exact fractions for single columns."""

from __future__ import annotations

import math
from bisect import bisect_right
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The smallest doubles are no finer than a few times the least of them.
RESOLUTION = 1e-322


def edges_between(low: float, high: float, bins: int) -> list[float]:
    """The edges of equal width, each rounded from the exact value to double and a few units of that away at most."""
    low, high = float(low), float(high)
    exact = [Fraction(low) + (Fraction(high) - Fraction(low)) * i / bins for i in range(bins + 1)]
    return [float(edge) for edge in exact]


def exact_numbers(values: Sequence[Any], bins: int = 10) -> dict[str, Any]:
    """Every metric of a column of numbers, NULL as None, in exact arithmetic."""
    present = [value for value in values if value is not None]
    finite = [value for value in present if math.isfinite(value)]
    exact = [Fraction(value) for value in finite]
    distinct = len({"nan" if math.isnan(value) else value for value in present})
    mean = float(sum(exact) / len(exact)) if exact else None
    return {
        **counts(values, distinct),
        "min": min(finite, default=None),
        "max": max(finite, default=None),
        "mean": mean,
        "stddev": _deviation(exact),
    }


def counts(values: Sequence[Any], distinct: int) -> dict[str, Any]:
    count, nulls = len(values), sum(value is None for value in values)
    return {
        "count": count,
        "null_count": nulls,
        "null_percent": 100 * nulls / count if count else None,
        "distinct_count": distinct,
        "distinct_percent": 100 * distinct / count if count else None,
    }


def _deviation(exact: Sequence[Fraction]) -> float | None:
    if len(exact) < 2:
        return None
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    with localcontext() as context:
        context.prec = 60
        return float((Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt())


def check_histogram(histogram: Sequence[Mapping[str, Any]], values: Sequence[Any], bins: int) -> None:
    """Its edges are those of equal bins, and its counts those of an independent count between the same edges."""
    finite = sorted(float(value) for value in values if value is not None and math.isfinite(value))
    if not finite:
        assert histogram == []
        return
    low, high = finite[0], finite[-1]
    edges = [entry["bin_start"] for entry in histogram] + [histogram[-1]["bin_end"]]
    assert [entry["bin_end"] for entry in histogram] == edges[1:]
    assert (edges[0], edges[-1]) == (low, high)
    if low == high:
        assert [entry["count"] for entry in histogram] == [len(finite)]
        return
    width = (Fraction(high) - Fraction(low)) / bins
    tolerance = (Fraction(max(abs(low), abs(high))) + width) / 2**50 + Fraction(RESOLUTION)
    for edge, expected in zip(edges, edges_between(low, high, bins), strict=True):
        assert abs(Fraction(edge) - Fraction(expected)) <= tolerance
    found = [0] * bins
    for value in finite:
        found[min(bisect_right(edges, value), bins) - 1] += 1
    assert [entry["count"] for entry in histogram] == found


def check_numbers(metrics: Mapping[str, Any], values: Sequence[Any], bins: int = 10) -> None:
    """All metrics of a column of numbers."""
    expected = exact_numbers(values)
    spread = expected["stddev"] or 0.0
    for name in ("mean", "stddev"):
        if expected[name] is None:
            assert metrics[name] is None
        else:
            assert metrics[name] == pytest.approx(expected[name], rel=1e-12, abs=max(spread * 1e-12, RESOLUTION)), name
    check_histogram(metrics["histogram"], values, bins)
    others = {name: value for name, value in metrics.items() if name not in ("mean", "stddev", "histogram")}
    assert others == {name: value for name, value in expected.items() if name not in ("mean", "stddev")}


def close(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The same metrics, but for the last digits of what is summed up in any order."""
    return {
        name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for name, value in metrics.items()
    }


def frame_counts(column: pl.Series) -> dict[str, Any]:
    """The counts of a column, by polars."""
    nulls = column.null_count()
    distinct = column.drop_nulls().n_unique()
    return {
        "count": column.len(),
        "null_count": nulls,
        "null_percent": pytest.approx(100 * nulls / column.len(), rel=1e-12),
        "distinct_count": distinct,
        "distinct_percent": pytest.approx(100 * distinct / column.len(), rel=1e-12),
    }


def frame_metrics(column: pl.Series) -> dict[str, Any]:
    """Every metric of a column but the histogram, by polars."""
    metrics = frame_counts(column)
    if column.dtype.is_numeric():
        metrics |= {
            "min": column.min(),
            "max": column.max(),
            "mean": pytest.approx(column.mean(), rel=1e-11),
            "stddev": pytest.approx(column.std(ddof=1), rel=1e-11, abs=0),
        }
    elif column.dtype == pl.String:
        lengths = column.str.len_chars()
        metrics |= {
            "min_length": lengths.min(),
            "max_length": lengths.max(),
            "avg_length": pytest.approx(lengths.mean(), rel=1e-12),
        }
    return metrics


def frame_histogram(column: pl.Series, edges: Sequence[float]) -> list[int]:
    """The counts between ``edges``, by polars: half-open bins, the last one closed."""
    bins = [
        (column >= low) & ((column <= high) if i == len(edges) - 2 else (column < high))
        for i, (low, high) in enumerate(pairwise(edges))
    ]
    return [int(inside.sum()) for inside in bins]
