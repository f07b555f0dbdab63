"""The whole configuration."""

from __future__ import annotations

from typing import ClassVar

from profilemesh_airflow.config.airflow import AirflowConfig
from profilemesh_airflow.config.base import Section, Slug
from profilemesh_airflow.config.connection import SourceConfig
from profilemesh_airflow.config.drift import DriftConfig
from profilemesh_airflow.config.hooks import HooksConfig
from profilemesh_airflow.config.incremental import IncrementalConfig
from profilemesh_airflow.config.profiling import ProfilingConfig
from profilemesh_airflow.config.running import ExecutionConfig, MonitoringConfig, RetryConfig
from profilemesh_airflow.config.storage import StorageConfig


class ProfileMeshConfig(Section):
    """One ProfileMesh configuration, every default filled in. Immutable; its ``repr`` shows no password."""

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "contracts",
            "datasets",
            "lineage",
            "llm",
            "quality_scoring",
            "rca",
            "schema_change",
            "smart_selection",
            "validation",
            "visualization",
        }
    )

    environment: Slug = "development"
    source: SourceConfig
    storage: StorageConfig
    profiling: ProfilingConfig = ProfilingConfig()
    drift_detection: DriftConfig = DriftConfig()
    hooks: HooksConfig = HooksConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    retry: RetryConfig = RetryConfig()
    execution: ExecutionConfig = ExecutionConfig()
    incremental: IncrementalConfig = IncrementalConfig()
    airflow: AirflowConfig = AirflowConfig()

    @property
    def source_name(self) -> str:
        """What the source is called in URIs and ids, at most 63 letters, digits, ``_``, ``-`` and ``.``."""
        return self.source.slug
