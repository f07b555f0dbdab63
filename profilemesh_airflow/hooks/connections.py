"""Airflow connections as connection settings."""

from __future__ import annotations

import json
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

_POSTGRES_EXTRAS = (
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

#: Extras that the driver takes; all others belong to Airflow's own hooks.
_DRIVER_EXTRAS = {
    "postgres": _POSTGRES_EXTRAS,
    "redshift": _POSTGRES_EXTRAS,
    "mysql": ("ssl", "charset", "unix_socket", "connect_timeout", "read_timeout", "init_command"),
    "snowflake": (
        "authenticator",
        "token",
        "region",
        "private_key_file",
        "private_key_file_pwd",
        "session_parameters",
        "ocsp_fail_open",
        "client_session_keep_alive",
    ),
    "bigquery": ("location",),
}

#: Google's extras, by what sqlalchemy-bigquery calls them.
_GOOGLE_EXTRAS = {"key_path": "credentials_path", "keyfile_dict": "credentials_info"}


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
    extra = {short_name(name): value for name, value in connection.extra_dejson.items()}
    if kind in ("sqlite", "duckdb"):
        # Airflow's SQLite connections keep the path in `host`.
        return ConnectionSettings(kind, filepath=connection.host or connection.schema)
    if kind == "bigquery":
        return _bigquery(connection.schema, extra)
    return ConnectionSettings(
        kind,
        host=connection.host or None,
        port=connection.port,
        username=connection.login or None,
        password=connection.password or None,
        extra_params=_driver_extras(kind, extra),
        **_own_settings(connection.schema, extra),
    )


def _own_settings(schema: str | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    # What Airflow calls a connection's schema is the database, but on Snowflake, which names that in an extra.
    own = {name: extra[name] for name in _OWN_EXTRAS if extra.get(name)}
    if "database" in own:
        return {"schema": schema or None, **own}
    return {"database": schema or None, **own}


def _driver_extras(kind: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {name: extra[name] for name in _DRIVER_EXTRAS[kind] if name in extra}


def _bigquery(dataset: str | None, extra: Mapping[str, Any]) -> ConnectionSettings:
    """Of a Google Cloud connection, which keeps everything in extras: its project, and its key as a file or as JSON."""
    keys = {ours: extra[name] for name, ours in _GOOGLE_EXTRAS.items() if extra.get(name)}
    if isinstance(keys.get("credentials_info"), str):
        keys["credentials_info"] = json.loads(keys["credentials_info"])
    return ConnectionSettings(
        "bigquery",
        database=extra.get("project") or None,
        schema=extra.get("dataset") or dataset or None,
        extra_params={**_driver_extras("bigquery", extra), **keys},
    )


def short_name(name: str) -> str:
    """An extra as older connections spell it (``extra__snowflake__account``) without what goes before its name."""
    return name.rpartition("__")[2] if name.startswith("extra__") else name
