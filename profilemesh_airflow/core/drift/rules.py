"""The rules by which a table's drift is judged."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.findings import NONE

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True)
class Thresholds:
    """The scores from which a drift is so severe."""

    low: float
    medium: float
    high: float

    def severity(self, score: float) -> str:
        """How severe a score is."""
        if score >= self.high:
            return "high"
        if score >= self.medium:
            return "medium"
        return "low" if score >= self.low else NONE


@dataclass(frozen=True)
class Deviations:
    """The ``standard_deviation`` strategy.

    :param thresholds: distances from the mean, in standard deviations.
    :param window: how many earlier runs are looked at, at most.
    :param min_runs: how many of them there must be, at least 2.
    """

    thresholds: Thresholds = Thresholds(1.0, 2.0, 3.0)
    window: int = 7
    min_runs: int = 3


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """The ``ks`` strategy.

    :param thresholds: distances, from 0 to 1.
    :param alpha: the p-value above which a distance, however great, may be chance.
    """

    thresholds: Thresholds = Thresholds(0.1, 0.2, 0.3)
    alpha: float = 0.05


@dataclass(frozen=True)
class ColumnRules:
    """How the metrics of a column are compared, or the row count."""

    enabled: bool = True
    strategy: str = "absolute_threshold"
    absolute_threshold: Thresholds = Thresholds(5.0, 15.0, 30.0)
    standard_deviation: Deviations = Deviations()
    psi: Thresholds = Thresholds(0.1, 0.2, 0.25)
    ks: KolmogorovSmirnov = KolmogorovSmirnov()

    @property
    def window(self) -> int:
        """How many earlier runs are looked at."""
        return self.standard_deviation.window if self._deviates else 1

    @property
    def min_runs(self) -> int:
        """How many earlier runs there must be."""
        return self.standard_deviation.min_runs if self._deviates else 1

    @property
    def _deviates(self) -> bool:
        return self.enabled and self.strategy == "standard_deviation"


@dataclass(frozen=True)
class SchemaRules:
    """How severe it is that a column came, went, or has another type."""

    added: str = "low"
    dropped: str = "high"
    retyped: str = "medium"


@dataclass(frozen=True)
class FreshnessRules:
    """When data are overdue.

    :param thresholds: ages, in usual intervals.
    :param window: how many earlier runs are looked at, at most.
    :param min_intervals: how many intervals there must be before one is usual, at least 2.
    """

    enabled: bool = True
    thresholds: Thresholds = Thresholds(1.5, 2.0, 3.0)
    window: int = 200
    min_intervals: int = 5


@dataclass(frozen=True)
class DriftRules:
    """Everything that is looked at in one table.

    :param metrics: for the row count, and for each column that has no rules of its own.
    :param columns: by a column's name, or a pattern with ``*`` and ``?``.
    """

    enabled: bool = True
    metrics: ColumnRules = ColumnRules()
    columns: tuple[tuple[str, ColumnRules], ...] = ()
    schema: SchemaRules = SchemaRules()
    freshness: FreshnessRules = FreshnessRules()

    def of_column(self, name: str) -> ColumnRules:
        """The rules of a column: by its very name, or else by the first pattern that it matches."""
        named = dict(self.columns).get(name)
        if named is not None:
            return named
        return next((rules for pattern, rules in self.columns if fnmatchcase(name, pattern)), self.metrics)

    def unmatched(self, names: Collection[str]) -> list[str]:
        """Which of the names and patterns fit no column."""
        return [
            pattern
            for pattern, _ in self.columns
            if pattern not in names and not any(fnmatchcase(name, pattern) for name in names)
        ]

    @property
    def strategies(self) -> frozenset[str]:
        """The strategies that some rule follows."""
        return frozenset(rules.strategy for rules in self._all if rules.enabled)

    @property
    def window(self) -> int:
        """How many earlier runs some rule looks at."""
        return max(rules.window for rules in self._all)

    @property
    def min_runs(self) -> int:
        """How many earlier runs every rule needs."""
        return max(rules.min_runs for rules in self._all)

    @property
    def _all(self) -> tuple[ColumnRules, ...]:
        return (self.metrics, *(rules for _, rules in self.columns))
