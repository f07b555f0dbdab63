"""The metrics of the format, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import AfterValidator

from profilemesh_airflow.config.base import Counterparts

if TYPE_CHECKING:
    from collections.abc import Collection

Metric = Literal[
    "count",
    "null_count",
    "null_percent",
    "distinct_count",
    "distinct_percent",
    "min",
    "max",
    "mean",
    "stddev",
    "histogram",
    "min_length",
    "max_length",
    "avg_length",
]

#: Every metric, in the order in which they are listed everywhere.
METRICS: tuple[Metric, ...] = get_args(Metric)

_COUNTERPARTS = Counterparts(
    {
        "null_ratio": "null_percent",
        "unique_ratio": "distinct_percent",
        "approx_distinct_count": "distinct_count",
        "data_type_inferred": None,
    }
)


def in_order(metrics: Collection[Metric]) -> tuple[Metric, ...]:
    """The metrics in their canonical order, each once: the order they are written in has no meaning."""
    if not metrics:
        raise ValueError("lists no metric; name at least one, or leave the key out to have all of them")
    return tuple(metric for metric in METRICS if metric in metrics)


#: A list of metrics.
Metrics = Annotated[tuple[Annotated[Metric, _COUNTERPARTS], ...], AfterValidator(in_order)]
