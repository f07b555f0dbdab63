"""``drift_detection``, and ``drift`` of a table: how much a table may move away from its own history."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from profilemesh_airflow.config.base import Counterparts, Number, Positive, Section

Threshold = Annotated[Number, Field(ge=0)]
Severity = Literal["none", "low", "medium", "high"]


class Thresholds(Section):
    """From which deviation a drift counts as low, medium or high."""

    low_threshold: Threshold
    medium_threshold: Threshold
    high_threshold: Threshold

    @model_validator(mode="after")
    def _ascending(self) -> Thresholds:
        if not self.low_threshold <= self.medium_threshold <= self.high_threshold:
            raise ValueError(
                "low_threshold, medium_threshold and high_threshold must ascend, "
                f"not {self.low_threshold:g}, {self.medium_threshold:g}, {self.high_threshold:g}"
            )
        return self


class AbsoluteThresholds(Thresholds):
    """Changes in percent of the earlier value."""

    low_threshold: Threshold = 5.0
    medium_threshold: Threshold = 15.0
    high_threshold: Threshold = 30.0


class StandardDeviations(Thresholds):
    """Distances from the mean of the last ``window`` runs, in their standard deviations."""

    low_threshold: Threshold = 1.0
    medium_threshold: Threshold = 2.0
    high_threshold: Threshold = 3.0
    window: Annotated[Positive, Field(ge=2, le=365)] = 7
    min_runs: Annotated[Positive, Field(ge=2)] = 3

    @model_validator(mode="after")
    def _possible(self) -> StandardDeviations:
        if self.min_runs > self.window:
            raise ValueError(f"min_runs {self.min_runs} is more than window {self.window}, so nothing is ever judged")
        return self


class StabilityIndex(Thresholds):
    """Population stability indices of the histograms of two runs."""

    low_threshold: Threshold = 0.1
    medium_threshold: Threshold = 0.2
    high_threshold: Threshold = 0.25


class KolmogorovSmirnov(Thresholds):
    """Distances of the histograms of two runs, from 0 to 1; one whose p-value is above ``alpha`` may be chance."""

    low_threshold: Threshold = 0.1
    medium_threshold: Threshold = 0.2
    high_threshold: Threshold = 0.3
    alpha: Annotated[Number, Field(gt=0, le=1)] = 0.05


class SchemaDrift(Section):
    """How severe it is that a column came, went, or has another type."""

    added: Severity = "low"
    dropped: Severity = "high"
    retyped: Severity = "medium"


class FreshnessDrift(Thresholds):
    """Ages of the data in usual intervals between two changes, out of the last ``window`` runs."""

    enabled: bool = True
    low_threshold: Threshold = 1.5
    medium_threshold: Threshold = 2.0
    high_threshold: Threshold = 3.0
    window: Annotated[Positive, Field(le=10_000)] = 200
    min_intervals: Annotated[Positive, Field(ge=2)] = 5


class MetricDrift(Section):
    """Which strategy compares the metrics of two runs, and the parameters of each."""

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {"baselines", "enable_type_specific_thresholds", "statistical", "thresholds", "type_specific_thresholds"}
    )

    enabled: bool = True
    strategy: Annotated[
        Literal["absolute_threshold", "standard_deviation", "psi", "ks", "ml_based"],
        Counterparts({"statistical": "absolute_threshold"}),
    ] = "absolute_threshold"
    absolute_threshold: AbsoluteThresholds = AbsoluteThresholds()
    standard_deviation: StandardDeviations = StandardDeviations()
    psi: StabilityIndex = StabilityIndex()
    ks: KolmogorovSmirnov = KolmogorovSmirnov()
    ml_based: dict[str, Any] = Field(default_factory=dict)


class DriftConfig(MetricDrift):
    """What is looked at in every table."""

    schema_: SchemaDrift = Field(default=SchemaDrift(), alias="schema")
    freshness: FreshnessDrift = FreshnessDrift()


class TableDriftConfig(DriftConfig):
    """What is different for one table, and for columns of it, by their name or a pattern with ``*`` and ``?``.

    A key that is written here stands in place of the same key of ``drift_detection``, with all that is under it; the
    others are inherited. ``columns`` inherit from the table in the same way.
    """

    columns: dict[str, MetricDrift] = Field(default_factory=dict)
