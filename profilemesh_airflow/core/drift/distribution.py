"""How much the values moved, by their histograms: the strategies ``psi`` and ``ks``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.findings import NONE, DriftFinding
from profilemesh_airflow.core.drift.ks import ks_test
from profilemesh_airflow.core.drift.psi import chance_index, stability_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.core.drift.histogram import Histogram
    from profilemesh_airflow.core.drift.rules import ColumnRules

DISTRIBUTIONS = ("psi", "ks")


def shifted(column: str, before: Histogram, after: Histogram, rules: ColumnRules) -> DriftFinding | None:
    """The index or the distance of two histograms, whichever the strategy asks for, if it is a drift.

    It is none if it may be chance: where there are few values.
    """
    details: Mapping[str, float] = {}
    if rules.strategy == "psi":
        score = stability_index(before, after)
        severity = NONE if score <= chance_index(before, after) else rules.psi.severity(score)
    else:
        found = ks_test(before, after)
        score, details = found.distance, {"p_value": found.p_value}
        severity = NONE if found.p_value > rules.ks.alpha else rules.ks.thresholds.severity(score)
    if severity == NONE:
        return None
    return DriftFinding(column, "histogram", None, None, None, severity, rules.strategy, score, details)
