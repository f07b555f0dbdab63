"""``monitoring``, ``retry`` and ``execution``: how a profiling process behaves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from profilemesh_airflow.config.base import Number, Positive, Section, WholeNumber


class MonitoringConfig(Section):
    """Metrics of the profiling process itself.

    ``keep_alive`` is off unless it is asked for: a server that outlives its work would hang a task.
    """

    enable_metrics: bool = False
    port: Annotated[WholeNumber, Field(ge=1, le=65535)] = 9753
    keep_alive: bool = False


class RetryConfig(Section):
    """What happens when a query fails for a passing reason; back-offs are in seconds."""

    enabled: bool = True
    retries: Annotated[WholeNumber, Field(ge=0, le=10)] = 3
    backoff_strategy: Literal["exponential", "fixed"] = "exponential"
    min_backoff: Annotated[Number, Field(gt=0, le=60)] = 0.5
    max_backoff: Annotated[Number, Field(gt=0, le=300)] = 8.0

    @model_validator(mode="after")
    def _ascending(self) -> RetryConfig:
        if self.max_backoff < self.min_backoff:
            raise ValueError(f"max_backoff {self.max_backoff:g} is less than min_backoff {self.min_backoff:g}")
        return self


class ExecutionConfig(Section):
    """How many tables one process works on; ``warehouse_limits`` caps it by kind of database."""

    max_workers: Annotated[Positive, Field(le=64)] = 1
    batch_size: Annotated[Positive, Field(le=100)] = 10
    queue_size: Annotated[WholeNumber, Field(ge=10, le=1000)] = 100
    warehouse_limits: dict[str, Positive] = Field(default_factory=dict)
