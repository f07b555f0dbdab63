"""Airflow connections as connection settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import AirflowNotFoundException, BaseHook
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Airflow's connection types, by what we call the database.
_TYPES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "redshift": "redshift",
    "mysql": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "google_cloud_platform": "bigquery",
}

#: Extras of the connection form that are settings of their own here, not driver arguments.
_OWN_EXTRAS = ("account", "warehouse", "role", "database", "schema")

#: Extras that the driver takes; all others belong to Airflow's own hooks.
_DRIVER_EXTRAS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "options",
    "connect_timeout",
    "application_name",
    "keepalives",
    "keepalives_idle",
    "target_session_attrs",
    "gssencmode",
)


def resolve_connection(conn_id: str) -> ConnectionSettings:
    """Look up an Airflow connection.

    :raises ConfigError: there is none of that id, or it is of a type that is no database of ours.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigError(
            f"conn_id: Airflow has no connection {conn_id!r}; add it with `airflow connections add`, "
            f"or set AIRFLOW_CONN_{conn_id.upper()}"
        ) from error
    kind = _TYPES.get(connection.conn_type or "")
    if kind is None:
        raise ConfigError(
            f"conn_id: connection {conn_id!r} is of type {connection.conn_type!r}; use one of "
            f"{', '.join(sorted(set(_TYPES)))}"
        )
    extra = connection.extra_dejson
    if kind in ("sqlite", "duckdb"):
        # Airflow's SQLite connections keep the path in `host`.
        return ConnectionSettings(kind, filepath=connection.host or connection.schema)
    return ConnectionSettings(
        kind,
        host=connection.host or None,
        port=connection.port,
        username=connection.login or None,
        password=connection.password or None,
        extra_params={name: extra[name] for name in _DRIVER_EXTRAS if name in extra},
        **_own_settings(connection.schema, extra),
    )


def _own_settings(schema: str | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    # What Airflow calls a connection's schema is the database, but on Snowflake, which names that in an extra.
    own = {name: extra[name] for name in _OWN_EXTRAS if extra.get(name)}
    if "database" in own:
        return {"schema": schema or None, **own}
    return {"database": schema or None, **own}
