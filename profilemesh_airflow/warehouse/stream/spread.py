"""Mean and standard deviation of values in order."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import Frame
from profilemesh_airflow.warehouse.stream.columns import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.warehouse.stream.columns import Array
    from profilemesh_airflow.warehouse.stream.source import Found, Wish


def measure_spread(found: Found, wish: Wish, values: Array, units: Callable[[Array], Array]) -> None:
    """Measure both; see :mod:`~profilemesh_airflow.warehouse.moments`.

    The centre is the median, which is never further from the mean than the standard deviation (Hotelling, Solomons
    1932, "The Limits of a Measure of Skewness"), so that little cancels.

    :param values: some, finite, in order.
    :param units: turns values into those that are summed: decimal numbers into whole ones of their last digit.
    """
    middle = len(values) // 2
    low, centre, high = (units(values[at : at + 1 or None])[0].item() for at in (0, middle, -1))
    frame = Frame.of(wish.kind if wish.field.decimals is None else Kind.INTEGER, low, high, centre)
    totals, squares = [], []
    for start in range(0, len(values), BLOCK):
        block = units(values[start : start + BLOCK])
        scaled = _differences(block, frame) * frame.factor
        totals.append(float(scaled.sum()))
        squares.append(float(np.square(scaled, out=scaled).sum()))
    count, total, square, unit = len(values), fsum(totals), fsum(squares), 10 ** (wish.field.decimals or 0)
    found.measured["mean"] = frame.mean(count, total) / unit
    try:
        deviation = frame.deviation(count, total, square)
    except OverflowError as error:
        found.failed["stddev"] = str(error)
    else:
        found.measured["stddev"] = None if deviation is None else deviation / unit


def _differences(block: Array, frame: Frame) -> Array:
    if frame.exact:
        difference: Array = (block.astype(np.int64) - np.int64(frame.centre)).astype(np.float64)
        return difference
    with np.errstate(under="ignore"):
        shrunk: Array = block.astype(np.float64) * frame.shrink
    return shrunk - float(frame.centre)
