"""The hook: a ProfileMesh configuration, opened inside Airflow."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import BaseHook
from profilemesh_airflow.config import LoadedConfig, load_config
from profilemesh_airflow.hooks.connections import resolve_connection
from profilemesh_airflow.usecases.planning import build_plan
from profilemesh_airflow.usecases.workspace import Workspace
from profilemesh_airflow.warehouse import connect

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from profilemesh_airflow.config import ProfileMeshConfig
    from profilemesh_airflow.core.plan import Plan


class ProfileMeshHook(BaseHook):
    """Loads a ProfileMesh configuration and opens what it names.

    :param config_path: path of the YAML or JSON configuration.
    """

    def __init__(self, config_path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path

    @cached_property
    def loaded(self) -> LoadedConfig:
        """The configuration with its warnings, which are logged once.

        :raises ConfigError: the file is missing or wrong.
        """
        loaded = load_config(self.config_path)
        for warning in loaded.warnings:
            self.log.warning("%s", warning)
        return loaded

    @property
    def config(self) -> ProfileMeshConfig:
        """The configuration."""
        return self.loaded.model

    def get_config(self) -> ProfileMeshConfig:
        """The configuration."""
        return self.config

    def get_conn(self) -> ProfileMeshConfig:
        """The configuration: it is what this hook connects to."""
        return self.config

    def workspace(self) -> Workspace:
        """The configuration with its databases, to be used as a context manager."""
        return Workspace(self.loaded, resolve_connection)

    def build_plan(self) -> Plan:
        """The plan, with the schema and the data version of every table."""
        with self.workspace() as workspace:
            return build_plan(workspace)

    def get_engine(self) -> Engine:
        """An SQLAlchemy engine that reads the profiled database; the caller disposes of it."""
        return connect(self.workspace().source_settings)
