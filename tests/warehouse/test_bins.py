"""Histogram edges, without a database."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given, strategies as st

from profilemesh_airflow.warehouse.bins import bin_edges, histogram
from tests.warehouse.oracle import edges_between

LIMIT = sys.float_info.max
DOUBLES = st.floats(min_value=-LIMIT, max_value=LIMIT)


@pytest.mark.parametrize(
    ("low", "high", "bins", "edges"),
    [
        (0, 10, 5, (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)),
        (-1.0, 1.0, 2, (-1.0, 0.0, 1.0)),
        (1, 2, 1, (1.0, 2.0)),
        (3, 3, 10, (3.0, 3.0)),
        (2**62, 2**62 + 1, 10, (2.0**62, 2.0**62)),
        (-(2.0**1023), 2.0**1023, 4, (-(2.0**1023), -(2.0**1022), 0.0, 2.0**1022, 2.0**1023)),
    ],
)
def test_edges_are_of_equal_width(low: float, high: float, bins: int, edges: tuple[float, ...]) -> None:
    assert bin_edges(low, high, bins) == edges


@given(st.tuples(DOUBLES, DOUBLES).map(sorted), st.integers(1, 500))
@example([-LIMIT, LIMIT], 10)
@example([-LIMIT, LIMIT / 2], 10)
@example([0.0, LIMIT], 500)
@example([0.0, 5e-324], 10)
def test_edges_of_any_doubles_ascend_from_the_least_to_the_greatest(extremes: list[float], bins: int) -> None:
    low, high = extremes
    edges = bin_edges(low, high, bins)
    assert (edges[0], edges[-1]) == (low, high)
    assert list(edges) == sorted(edges)
    if low < high:
        tolerance = max(abs(low), abs(high)) * 2.0**-50 + 5e-324
        expected = edges_between(low, high, bins)
        assert all(abs(edge - exact) <= tolerance for edge, exact in zip(edges, expected, strict=True))


def test_a_bin_without_values_is_listed() -> None:
    assert histogram((0.0, 1.0, 2.0), {1: 7}) == [
        {"bin_start": 0.0, "bin_end": 1.0, "count": 0},
        {"bin_start": 1.0, "bin_end": 2.0, "count": 7},
    ]
