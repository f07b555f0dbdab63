"""Histogram bins: their edges, the SQL that sorts values into them, and the result."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.double import DOUBLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Keeps the calculation of edges from overflowing; a power of two, so that it rounds nothing.
_DOWN = 2.0**-64


def bin_edges(low: float, high: float, bins: int) -> tuple[float, ...]:
    """``bins + 1`` edges of equal width from ``low`` to ``high``; one bin where the two are the same double.

    Edge ``i`` is ``low + i * (high - low) / bins`` in 64-bit floating point, and the last is ``high`` itself. Where the
    width is near the resolution of a double, edges may coincide: such a bin is empty.
    """
    low, high = float(low), float(high)
    if low == high:
        return (low, high)
    scale = _DOWN if math.isinf((high - low) * bins) else 1.0
    start, span = low * scale, high * scale - low * scale
    return (low, *(min((start + i * span / bins) / scale, high) for i in range(1, bins)), high)


def bin_number(value: sa.ColumnElement[Any], edges: Sequence[float]) -> sa.ColumnElement[int]:
    """SQL for the number of the bin that ``value`` lies in: half-open bins, and the last one closed.

    A binary search by comparison, so that no rounding of a division can put a value into a bin it is not in. PostgreSQL
    has it built in.
    """

    def search(first: int, last: int) -> Any:
        if first == last:
            return sa.literal_column(str(first))
        middle = (first + last + 1) // 2
        below = value < sa.literal(edges[middle], DOUBLE)
        return sa.case((below, search(first, middle - 1)), else_=search(middle, last))

    found: sa.ColumnElement[int] = search(0, len(edges) - 2)
    return found


def histogram(edges: Sequence[float], counts: Mapping[int, int]) -> list[dict[str, Any]]:
    """The bins as the format wants them; ``counts`` by bin number, an absent one is empty."""
    return [{"bin_start": edges[i], "bin_end": edges[i + 1], "count": counts.get(i, 0)} for i in range(len(edges) - 1)]
