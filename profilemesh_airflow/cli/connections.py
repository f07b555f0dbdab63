"""Airflow's connections, for a configuration that names one. Airflow is imported only then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings


def airflow_connection(conn_id: str) -> ConnectionSettings:
    """Look up a connection in Airflow's environment variables, secrets backends and database.

    :raises ConfigError: Airflow is not installed here, or has no such connection.
    """
    # As `airflow connections get` does: Airflow 3 asks its own database only in a process that says it is no task.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    try:
        from profilemesh_airflow.hooks.connections import resolve_connection
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "airflow":
            raise
        raise ConfigError(
            f"conn_id: {conn_id!r} is a connection of Airflow, which is not installed here; install apache-airflow, "
            "or give type, host and the rest in place of conn_id"
        ) from error
    return resolve_connection(conn_id)
