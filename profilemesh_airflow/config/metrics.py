"""Metrics, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from profilemesh_airflow.config.base import Counterparts
from profilemesh_airflow.core.plan import ALL_METRICS, MetricName

if TYPE_CHECKING:
    from collections.abc import Collection

_COUNTERPARTS = Counterparts(
    {
        "null_ratio": "null_percent",
        "unique_ratio": "distinct_percent",
        "approx_distinct_count": "distinct_count",
        "data_type_inferred": None,
    }
)


def in_order(metrics: Collection[MetricName]) -> tuple[MetricName, ...]:
    """The metrics in their canonical order, each once: the order they are written in has no meaning."""
    if not metrics:
        raise ValueError("lists no metric; name at least one, or leave the key out for the usual ones")
    return tuple(metric for metric in ALL_METRICS if metric in metrics)


#: A list of metrics.
Metrics = Annotated[tuple[Annotated[MetricName, _COUNTERPARTS], ...], AfterValidator(in_order)]
