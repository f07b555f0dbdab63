"""``profiling``: the tables, and what is computed for every one of them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from profilemesh_airflow.config.base import Fraction, Positive, Section
from profilemesh_airflow.config.durations import Duration
from profilemesh_airflow.config.metrics import Metrics
from profilemesh_airflow.config.tables import TableConfig
from profilemesh_airflow.core.plan import METRICS


class ProfilingConfig(Section):
    """What is profiled, and how. A table entry may override everything but ``tables`` and ``default_sample_ratio``.

    ``max_distinct_values`` caps the distinct values that are looked at one by one; ``default_sample_ratio`` is the
    share of the rows that is read of a table without ``sampling`` of its own (1: all of them); ``timeout`` is how long
    the profile of one table may take.
    """

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "databases",
            "datasets",
            "discovery_options",
            "enable_approx_distinct",
            "enable_column_stability",
            "enable_enrichment",
            "enable_schema_tracking",
            "enable_type_inference",
            "extract_lineage",
            "schemas",
            "stability_window",
            "table_discovery",
            "type_inference_sample_size",
        }
    )

    tables: tuple[TableConfig, ...] = ()
    metrics: Metrics = METRICS
    max_distinct_values: Positive = 1000
    compute_histograms: bool = True
    histogram_bins: Annotated[Positive, Field(le=1000)] = 10
    default_sample_ratio: Fraction = 1.0
    timeout: Duration | None = None
