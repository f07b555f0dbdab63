"""How far a metric is from where it has been: the ``standard_deviation`` strategy."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, sqrt
from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.absolute import moved
from profilemesh_airflow.core.drift.findings import NONE, DriftFinding
from profilemesh_airflow.core.drift.numbers import finite, number_of, percent_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.core.drift.rules import ColumnRules
    from profilemesh_airflow.core.profile import MetricValue

#: A spread below this share of the greatest value is rounding, not history.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Spread:
    """Where a metric has been.

    :param mean: of the earlier values.
    :param stddev: their sample standard deviation; 0 where nothing but rounding sets them apart.
    """

    mean: float
    stddev: float


def spread_of(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation ``sqrt(sum((x - mean)^2) / (n - 1))`` of at least two values."""
    scale = max(map(abs, values))
    if scale == 0.0:
        return Spread(0.0, 0.0)
    # Scaled, so that no square is beyond every number, or lost below them.
    scaled = [value / scale for value in values]
    mean = fsum(scaled) / len(scaled)
    stddev = sqrt(fsum((value - mean) ** 2 for value in scaled) / (len(scaled) - 1))
    return Spread(mean * scale, stddev * scale if stddev > _ROUNDING else 0.0)


def deviated(
    column: str | None, metric: str, past: Sequence[MetricValue], after: MetricValue, rules: ColumnRules
) -> DriftFinding | None:
    """The distance ``|after - mean| / stddev`` from the mean of the earlier values, if it is a drift.

    None where too few of the earlier values are numbers, or this one is none. Where all of them are the same there is
    no unit to measure in, and ``absolute_threshold`` decides.
    """
    settings, new = rules.standard_deviation, number_of(after)
    known = [number for value in past if (number := number_of(value)) is not None][: settings.window]
    if new is None or len(known) < settings.min_runs:
        return None
    spread = spread_of(known)
    if not spread.stddev:
        return moved(column, metric, spread.mean, after, rules.absolute_threshold)
    score = abs(new - spread.mean) / spread.stddev
    severity = settings.thresholds.severity(score)
    if severity == NONE:
        return None
    details = {"runs": len(known), "stddev": spread.stddev}
    change = finite(percent_change(spread.mean, new))
    return DriftFinding(
        column, metric, spread.mean, after, change, severity, "standard_deviation", finite(score), details
    )
