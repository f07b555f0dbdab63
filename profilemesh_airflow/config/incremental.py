"""``incremental``: profiling no more than what changed, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from profilemesh_airflow.config.base import Fraction, Identifier, Positive, Section, WholeNumber
from profilemesh_airflow.config.metrics import Metrics
from profilemesh_airflow.core.merge import MERGEABLE

Interval = Annotated[WholeNumber, Field(ge=5)]


class ChangeDetectionConfig(Section):
    """How a change of a table is noticed."""

    enabled: bool = True
    metadata_table: Identifier = "profilemesh_table_state"
    connector_overrides: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)
    snapshot_ttl_minutes: Positive = 1440


class PartialProfilingConfig(Section):
    """Whether only the changed partitions of a table are read.

    ``other_metrics`` says what becomes of metrics that are not mergeable: to ``refresh`` them, all is read after all.
    """

    enabled: bool = True
    allow_partition_pruning: bool = True
    max_partitions_per_run: Annotated[Positive, Field(le=10000)] = 64
    mergeable_metrics: Metrics = MERGEABLE
    other_metrics: Literal["refresh", "absent"] = "refresh"


class AdaptiveSchedulingConfig(Section):
    """The age at which a table of unknown data version is profiled again; ``priority_overrides`` has it by table key.

    ``staleness_penalty_minutes`` has no effect, as it has none in the successor.
    """

    enabled: bool = True
    default_interval_minutes: Interval = 1440
    min_interval_minutes: Interval = 60
    max_interval_minutes: Annotated[WholeNumber, Field(ge=60)] = 10080
    priority_overrides: dict[str, WholeNumber] = Field(default_factory=dict)
    staleness_penalty_minutes: Interval = 1440


class CostControlConfig(Section):
    """What one profile may read at most, and what happens instead when it would read more."""

    enabled: bool = True
    max_bytes_scanned: Positive | None = None
    max_rows_scanned: Positive | None = None
    fallback_strategy: Literal["sample", "defer", "full"] = "sample"
    sample_fraction: Fraction = 0.1


class IncrementalConfig(Section):
    """Incremental profiling as a whole."""

    enabled: bool = False
    change_detection: ChangeDetectionConfig = ChangeDetectionConfig()
    partial_profiling: PartialProfilingConfig = PartialProfilingConfig()
    adaptive_scheduling: AdaptiveSchedulingConfig = AdaptiveSchedulingConfig()
    cost_controls: CostControlConfig = CostControlConfig()
