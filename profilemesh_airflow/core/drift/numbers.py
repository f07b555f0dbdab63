"""Metrics as numbers that can be compared."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profilemesh_airflow.core.profile import MetricValue


def number_of(value: MetricValue) -> float | None:
    """The value as a floating-point number; none for what is none, as a boolean, or is beyond every one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def percent_change(before: float, after: float) -> float:
    """``100 * |after - before| / |before|``; infinite from 0 to anything else."""
    if before == after:
        return 0.0
    return 100.0 * (abs(after - before) / abs(before)) if before else inf


def finite(score: float) -> float | None:
    """The score, or none where it is infinite: JSON has no such number."""
    return score if isfinite(score) else None
