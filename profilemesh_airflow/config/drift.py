"""``drift_detection``: how much a metric may move between two profiles of a table."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from profilemesh_airflow.config.base import Counterparts, Number, Section

Threshold = Annotated[Number, Field(ge=0)]


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
    """Distances from the mean of the earlier runs, in their standard deviations."""

    low_threshold: Threshold = 1.0
    medium_threshold: Threshold = 2.0
    high_threshold: Threshold = 3.0


class DriftConfig(Section):
    """Which strategy compares two profiles, and the parameters of each."""

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {"baselines", "enable_type_specific_thresholds", "statistical", "type_specific_thresholds"}
    )

    strategy: Annotated[
        Literal["absolute_threshold", "standard_deviation", "ml_based"],
        Counterparts({"statistical": "absolute_threshold"}),
    ] = "absolute_threshold"
    absolute_threshold: AbsoluteThresholds = AbsoluteThresholds()
    standard_deviation: StandardDeviations = StandardDeviations()
    ml_based: dict[str, Any] = Field(default_factory=dict)
