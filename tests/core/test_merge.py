"""Metrics merged from partitions are those of the whole."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import example, given, strategies as st

from profilemesh_airflow.core.merge import MERGEABLE, ColumnState, PartitionState, combine, merge_column
from profilemesh_airflow.core.plan import Column

COLUMN = Column("n", "REAL")
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12, allow_subnormal=False)
ROWS = st.lists(st.tuples(st.integers(0, 5), st.none() | NUMBERS), max_size=60)


def state_of(values):
    """A partition's state, computed in one go."""
    known = [value for value in values if value is not None]
    if not known:
        return ColumnState()
    mean = statistics.fmean(known)
    spread = math.hypot(*(value - mean for value in known))
    return ColumnState(len(known), len(known), min(known), max(known), mean, spread)


def whole(values):
    """The metrics of all values, in exact arithmetic."""
    known = [Fraction(value) for value in values if value is not None]
    nulls = len(values) - len(known)
    mean = sum(known) / len(known) if known else None
    # In units of the greatest distance, as the square of a very small one is no double.
    unit = max((abs(value - mean) for value in known), default=0) or 1
    spread = sum(((value - mean) / unit) ** 2 for value in known)
    return {
        "count": len(values),
        "null_count": nulls,
        "null_percent": 100 * nulls / len(values) if values else None,
        "min": min((value for value in values if value is not None), default=None),
        "max": max((value for value in values if value is not None), default=None),
        "mean": None if mean is None else float(mean),
        "stddev": math.sqrt(spread / (len(known) - 1)) * float(unit) if len(known) > 1 else None,
    }


def close(metrics):
    scale = max((abs(metrics[name] or 0) for name in ("min", "max")), default=0)
    return {
        name: pytest.approx(value, rel=1e-9, abs=scale * 1e-7 if name == "stddev" else scale * 1e-12)
        if isinstance(value, float)
        else value
        for name, value in metrics.items()
    }


@given(ROWS)
@example([(0, 10**12), (0, 10**12), (1, 10**12 + 1)])
@example([(0, None), (1, 5), (2, None)])
@example([(1, 0), (1, 1.4e-193)])  # whose square is no double
def test_merging_the_partitions_equals_profiling_the_whole(rows):
    parts = [
        [value for _, value in group] for _, group in groupby(sorted(rows, key=lambda row: row[0]), lambda r: r[0])
    ]
    merged = merge_column(COLUMN, MERGEABLE, len(rows), map(state_of, parts))
    assert merged.metrics == close(whole([value for _, value in rows]))


@given(*[st.lists(st.none() | NUMBERS, max_size=9).map(state_of)] * 2)
def test_the_order_of_two_parts_does_not_matter(one, other):
    ab, ba = combine(one, other), combine(other, one)
    assert (ab.non_null, ab.regular, ab.low, ab.high) == (ba.non_null, ba.regular, ba.low, ba.high)
    assert ab.mean == pytest.approx(ba.mean, rel=1e-9, abs=1e-3)
    assert ab.spread == pytest.approx(ba.spread, rel=1e-9, abs=1e-3)
    assert combine(ColumnState(), one) == combine(one, ColumnState()) == one


def test_times_are_merged_by_their_order():
    parts = [ColumnState(2, 0, "2024-01-01", "2024-01-05"), ColumnState(1, 0, "2023-12-31T23:00:00", "2024-01-02")]
    metrics = merge_column(COLUMN, ("min", "max"), 3, parts).metrics
    assert metrics == {"min": "2023-12-31T23:00:00", "max": "2024-01-05"}


def test_of_nothing_there_are_no_metrics():
    assert merge_column(COLUMN, MERGEABLE, 0, []).metrics == {
        "count": 0,
        "null_count": 0,
        **dict.fromkeys(("null_percent", "min", "max", "mean", "stddev")),
    }


def test_numbers_that_are_too_large_are_not_merged():
    parts = [ColumnState(1, 1, low, low, low) for low in (-1.7e308, 1.7e308)]
    with pytest.raises(OverflowError, match="column n has numbers that are too large"):
        merge_column(COLUMN, MERGEABLE, 2, parts)


@given(st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False), ROWS)
def test_a_state_comes_back_from_its_texts(value, rows):
    import json

    state = PartitionState(value, "3 17", 3, {"n": state_of([number for _, number in rows]), "t": ColumnState(1)})
    assert PartitionState.from_json(json.dumps(value), "3 17", 3, state.columns_json()) == state
