"""What the user wrote: the models of the ProfileMesh format, and the loader of its YAML and JSON files."""

from __future__ import annotations

from profilemesh_airflow.config.airflow import AirflowConfig, BudgetConfig
from profilemesh_airflow.config.connection import ConnectionConfig, SourceConfig
from profilemesh_airflow.config.drift import DriftConfig
from profilemesh_airflow.config.durations import parse_duration
from profilemesh_airflow.config.last_good import load_last_good
from profilemesh_airflow.config.loader import LoadedConfig, load_config, load_content, parse_config
from profilemesh_airflow.config.model import ProfileMeshConfig
from profilemesh_airflow.config.profiling import ProfilingConfig
from profilemesh_airflow.config.storage import StorageConfig
from profilemesh_airflow.config.tables import PartitionConfig, SamplingConfig, TableConfig
from profilemesh_airflow.core.plan import METRICS

__all__ = [
    "METRICS",
    "AirflowConfig",
    "BudgetConfig",
    "ConnectionConfig",
    "DriftConfig",
    "LoadedConfig",
    "PartitionConfig",
    "ProfileMeshConfig",
    "ProfilingConfig",
    "SamplingConfig",
    "SourceConfig",
    "StorageConfig",
    "TableConfig",
    "load_config",
    "load_content",
    "load_last_good",
    "parse_config",
    "parse_duration",
]
