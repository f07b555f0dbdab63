"""The hook: a ProfileMesh configuration, opened inside Airflow."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.airflow_api import AirflowApi
from profilemesh_airflow.compat.airflow import BaseHook
from profilemesh_airflow.config import LoadedConfig, load_last_good
from profilemesh_airflow.exceptions import ConfigError, ProfileMeshError
from profilemesh_airflow.hooks.connections import resolve_connection
from profilemesh_airflow.hooks.form import CONN_TYPE, HOOK_NAME, behaviour, widgets
from profilemesh_airflow.hooks.settings import HookSettings, find_settings
from profilemesh_airflow.usecases.edits import last_refreshed
from profilemesh_airflow.usecases.planning import build_plan
from profilemesh_airflow.usecases.reach import reach, reach_airflow
from profilemesh_airflow.usecases.upstream import data_version
from profilemesh_airflow.usecases.watch import has_news
from profilemesh_airflow.usecases.workspace import Workspace
from profilemesh_airflow.warehouse import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine

    from profilemesh_airflow.config import ProfileMeshConfig
    from profilemesh_airflow.core.plan import Plan


class ProfileMeshHook(BaseHook):
    """Loads a ProfileMesh configuration and opens what it names.

    :param config_path: path of the YAML or JSON configuration; none means the one that the connection names.
    :param profilemesh_conn_id: a ``profilemesh`` connection: the path of the configuration, the environment of one that
        names none, and address and login of Airflow's REST API. It is looked up when it is needed; without
        ``config_path`` it is ``profilemesh_default``, unless another is given.
    """

    conn_name_attr = "profilemesh_conn_id"
    default_conn_name = "profilemesh_default"
    conn_type = CONN_TYPE
    hook_name = HOOK_NAME

    def __init__(self, config_path: str | None = None, profilemesh_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id or (None if config_path else self.default_conn_name)

    @staticmethod
    def get_connection_form_widgets() -> dict[str, Any]:
        """The fields of the connection's form, before Airflow 3.2."""
        return widgets()

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """What becomes of the usual fields of the form, before Airflow 3.2."""
        return behaviour()

    @cached_property
    def settings(self) -> HookSettings:
        """What the connection says; nothing, where there is none.

        :raises ConfigError: it does not exist, or cannot be used.
        """
        return find_settings(self.profilemesh_conn_id) if self.profilemesh_conn_id else HookSettings()

    @cached_property
    def loaded(self) -> LoadedConfig:
        """The configuration with its warnings, which are logged once; the last good one, where the file is broken.

        :raises ConfigError: the file is missing or wrong, or the connection names none.
        """
        path = self.config_path or self.settings.config_path
        if not path:
            raise ConfigError(
                f"connection {self.profilemesh_conn_id!r} names no configuration; "
                "set config_path in its extra, or give config_path"
            )
        loaded = load_last_good(path)
        default = self.settings.environment
        if default and "environment" not in loaded.model.model_fields_set:
            loaded = load_last_good(path, {**os.environ, "PROFILEMESH_ENVIRONMENT": default})
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

    @contextmanager
    def open_workspace(self) -> Iterator[Workspace]:
        """The configuration with its databases, at work in a task.

        An error of this package leaves it without the driver's own below it, which would fill the task's log: the
        message says what happened, where, and how to mend it.
        """
        try:
            with self.workspace() as workspace:
                yield workspace
        except ProfileMeshError as error:
            self.log.debug("what led to the error", exc_info=True)
            raise error from None

    def has_news(self) -> bool:
        """Whether there is something to profile: a refresh would ring for a table, or retire one. Only reads."""
        with self.open_workspace() as workspace:
            return has_news(workspace)

    def last_refreshed(self) -> str | None:
        """What stands for the configuration that the last refresh used; none where there was none. Only reads."""
        with self.open_workspace() as workspace:
            return last_refreshed(workspace)

    def data_version(self, table_key: str) -> str | None:
        """The present version of one table's rows; none where it is unknown. Only reads."""
        with self.open_workspace() as workspace:
            return data_version(workspace, table_key)

    def build_plan(self) -> Plan:
        """The plan, with the schema and the data version of every table."""
        with self.workspace() as workspace:
            return build_plan(workspace)

    def get_engine(self) -> Engine:
        """An SQLAlchemy engine that reads the profiled database; the caller disposes of it."""
        return connect(self.workspace().source_settings)

    def airflow_api(self) -> AirflowApi:
        """The REST API of the Airflow that the connection names; use it as a context manager, or close it.

        :raises ConfigError: the connection names none, or one that cannot be used.
        """
        settings = self.settings
        if not settings.api_url:
            raise ConfigError(
                f"connection {self.profilemesh_conn_id!r} has no address of Airflow's REST API; set its host, "
                "such as https://airflow.example.com"
            )
        return AirflowApi(settings.api_url, settings.username, settings.password, token=settings.token)

    def test_connection(self) -> tuple[bool, str]:
        """Whether everything can be reached that the connection names: configuration, databases, Airflow.

        It is asked where the button is: in the web server, which may see other files and networks than the workers.

        :returns: the answer, and what was found, or what is wrong; never a secret.
        """
        try:
            settings = self.settings
            found: list[str] = []
            if self.config_path or settings.config_path:
                with self.workspace() as workspace:
                    found += [f"configuration {workspace.config.path}", *reach(workspace)]
            if settings.api_url:
                with self.airflow_api() as api:
                    found.append(reach_airflow(api))
        except ProfileMeshError as error:
            return False, str(error)
        except Exception as error:
            # Its message may hold what no error of this package does: a login.
            self.log.debug("the connection could not be tested", exc_info=True)
            return False, f"unexpected {type(error).__name__}; at level DEBUG the log of the web server has it"
        if not found:
            return False, "it names nothing: set config_path, or the address of Airflow's REST API"
        return True, "; ".join(found)
