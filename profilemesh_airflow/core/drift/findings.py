"""What drifted, and how severely."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NONE = "none"

#: From harmless to severe.
SEVERITIES = (NONE, "low", "medium", "high")

#: What the score of a check is, by the check.
_UNITS = {
    "absolute_threshold": "{:.3g} %",
    "standard_deviation": "{:.3g} standard deviations",
    "psi": "PSI {:.3g}",
    "ks": "distance {:.3g}",
    "freshness": "{:.3g} usual intervals",
}


@dataclass(frozen=True)
class DriftFinding:
    """One thing that moved too far.

    :param column: the column, or none where it is the table's.
    :param metric: what moved: a metric, ``count`` for the table's rows, ``column`` or ``type`` for its schema, or
        ``freshness``.
    :param before: the earlier value, or the mean of the earlier values; of a distribution there is none.
    :param change_percent: ``100 * |after - before| / |before|``; none where ``before`` is 0 (a change from nothing has
        no percentage) or there are no numbers.
    :param check: what found it: a strategy, ``schema`` or ``freshness``.
    :param score: what its thresholds were held against; none where it is beyond every number, or there are none.
    :param details: what else the check knows, as JSON-safe data.
    """

    column: str | None
    metric: str
    before: Any
    after: Any
    change_percent: float | None
    severity: str
    check: str
    score: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """The score with its unit, as text; empty where the check has none."""
        if self.check not in _UNITS:
            return ""
        return "from 0" if self.score is None else _UNITS[self.check].format(self.score)

    @property
    def subject(self) -> str:
        """What moved, as text."""
        return self.metric if self.column is None else f"{self.column}.{self.metric}"

    @property
    def moved(self) -> str:
        """From what to what it moved, as text; empty for a distribution."""
        if self.before is None and self.after is None:
            return ""
        return f"{_text(self.before)} -> {_text(self.after)}"

    def __str__(self) -> str:
        """The finding as one line of text."""
        return " ".join(filter(None, (self.subject, self.moved, self.measure and f"({self.measure})")))

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON-safe data."""
        return asdict(self)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def worst_first(findings: Iterable[DriftFinding]) -> tuple[DriftFinding, ...]:
    """Sorted by severity, and else in the order in which they come."""
    return tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))
