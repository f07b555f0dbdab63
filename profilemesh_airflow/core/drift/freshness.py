"""Data that are overdue, measured by how often they have changed before."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.findings import NONE, DriftFinding
from profilemesh_airflow.core.drift.numbers import finite, percent_change

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from profilemesh_airflow.core.drift.rules import FreshnessRules


def data_changes(seen: Sequence[tuple[datetime, str]]) -> list[datetime]:
    """When the data changed: the moment of each run that saw another data version than the run before it.

    The change itself was some time between the two runs. What the first run saw was no change.

    :param seen: the moments of the runs and the data versions that they saw, in the order of time.
    """
    return [moment for (_, before), (moment, after) in pairwise(seen) if after != before]


def find_staleness(changes: Sequence[datetime], now: datetime, rules: FreshnessRules) -> DriftFinding | None:
    """Whether data are, or just were, overdue.

    The age is the time since the data last changed, or the interval that ended with that change, if it was longer: a
    load that was late is told when it is there, and one that is missing before. It is measured in usual intervals. The
    usual interval is the second longest among those before: one that occurred once may have been an accident, while
    nights and weekends come again.

    :param changes: when the data changed, in the order of time.
    """
    intervals = [(later - earlier).total_seconds() for earlier, later in pairwise(changes)]
    if not rules.enabled or len(intervals) <= rules.min_intervals:
        return None
    *earlier, last = intervals
    usual = sorted(earlier)[-2]
    age = max(last, (now - changes[-1]).total_seconds())
    score = age / usual
    severity = rules.thresholds.severity(score)
    if severity == NONE:
        return None
    change = finite(percent_change(usual, age))
    details = {"last_change": changes[-1].isoformat(), "unit": "seconds", "intervals": len(earlier)}
    return DriftFinding(None, "freshness", usual, age, change, severity, "freshness", score, details)
