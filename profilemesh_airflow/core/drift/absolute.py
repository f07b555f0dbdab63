"""How much a metric moved since the last run: the ``absolute_threshold`` strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.findings import NONE, DriftFinding
from profilemesh_airflow.core.drift.numbers import finite, number_of, percent_change

if TYPE_CHECKING:
    from profilemesh_airflow.core.drift.rules import Thresholds
    from profilemesh_airflow.core.profile import MetricValue


def moved(
    column: str | None, metric: str, before: MetricValue, after: MetricValue, thresholds: Thresholds
) -> DriftFinding | None:
    """The change in percent of the earlier value, if it is a drift; from 0 to anything else it is ``high``.

    None where one of the two is no number.
    """
    old, new = number_of(before), number_of(after)
    if old is None or new is None or old == new:
        return None
    change = percent_change(old, new)
    severity = thresholds.severity(change)
    if severity == NONE:
        return None
    score = finite(change)
    return DriftFinding(column, metric, before, after, score, severity, "absolute_threshold", score)
