"""Drift of a table against its own previous run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from profilemesh_airflow.core.profile import ColumnProfile

#: Metrics that are compared, column by column. The row count is compared once, for the table.
COMPARED_METRICS = (
    "null_percent",
    "distinct_percent",
    "min",
    "max",
    "mean",
    "stddev",
    "min_length",
    "max_length",
    "avg_length",
)

#: From harmless to severe.
SEVERITIES = ("low", "medium", "high")


@dataclass(frozen=True)
class Thresholds:
    """The absolute-threshold strategy: changes, in percent of the earlier value, from which a drift is so severe."""

    low: float = 5.0
    medium: float = 15.0
    high: float = 30.0

    def severity(self, change_percent: float) -> str | None:
        """How severe a change is, or none below the lowest threshold."""
        if change_percent >= self.high:
            return "high"
        if change_percent >= self.medium:
            return "medium"
        return "low" if change_percent >= self.low else None


@dataclass(frozen=True)
class DriftFinding:
    """One metric that moved too far.

    :param column: the column, or none for the table's row count.
    :param change_percent: ``100 * |after - before| / |before|``; none where ``before`` is 0: a change
        from nothing has no percentage, and is ``high``.
    """

    column: str | None
    metric: str
    before: float
    after: float
    change_percent: float | None
    severity: str

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON-safe data."""
        return asdict(self)


@dataclass(frozen=True)
class Snapshot:
    """What drift compares: one run's row count, if it is known, and columns."""

    row_count: int | None
    columns: Sequence[ColumnProfile]


def find_drift(before: Snapshot, after: Snapshot, thresholds: Thresholds) -> tuple[DriftFinding, ...]:
    """Every metric of the later run that moved by at least the lowest threshold, most severe first.

    Only a column that both runs have is compared, and only metrics that are numbers in both.
    """
    findings = [
        finding
        for column, metric, old, new in _pairs(before, after)
        if (finding := _compare(column, metric, old, new, thresholds))
    ]
    return tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))


def _pairs(before: Snapshot, after: Snapshot) -> Iterator[tuple[str | None, str, float, float]]:
    if before.row_count is not None and after.row_count is not None:
        yield None, "count", before.row_count, after.row_count
    earlier: Mapping[str, ColumnProfile] = {column.name: column for column in before.columns}
    for column in after.columns:
        if column.name not in earlier:
            continue
        for metric in COMPARED_METRICS:
            old, new = earlier[column.name].metrics.get(metric), column.metrics.get(metric)
            if _is_number(old) and _is_number(new):
                yield column.name, metric, old, new


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compare(
    column: str | None, metric: str, before: float, after: float, thresholds: Thresholds
) -> DriftFinding | None:
    if before == after:
        return None
    change = 100.0 * (abs(after - before) / abs(before)) if before else inf
    severity = thresholds.severity(change)
    if severity is None:
        return None
    return DriftFinding(column, metric, before, after, change if isfinite(change) else None, severity)
