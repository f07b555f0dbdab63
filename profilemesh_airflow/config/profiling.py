"""``profiling``: the tables, and what is computed for every one of them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from profilemesh_airflow.config.base import Fraction, Positive, Section
from profilemesh_airflow.config.durations import Duration
from profilemesh_airflow.config.metrics import Metrics
from profilemesh_airflow.config.selection import DiscoveryConfig
from profilemesh_airflow.config.tables import TableConfig
from profilemesh_airflow.core.plan import METRICS


class ProfilingConfig(Section):
    """What is profiled, and how. A table entry may override most of it.

    ``max_distinct_values`` caps the distinct values that are looked at one by one; ``default_sample_ratio`` is the
    share of the rows that is read of a table without ``sampling`` of its own (1: all of them); ``timeout`` is how long
    the profile of one table may take. ``approximate`` allows
    approximations; ``engine`` says where it is computed: in the database, or from rows that are
    streamed here, which take at most ``max_memory_mb``.
    """

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "databases",
            "datasets",
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
    discovery_options: DiscoveryConfig = DiscoveryConfig()
    metrics: Metrics = METRICS
    max_distinct_values: Positive = 1000
    compute_histograms: bool = True
    histogram_bins: Annotated[Positive, Field(le=1000)] = 10
    default_sample_ratio: Fraction = 1.0
    timeout: Duration | None = None
    approximate: bool = False
    engine: Literal["auto", "sql", "stream"] = "auto"
    max_memory_mb: Annotated[Positive, Field(ge=16)] = 256
