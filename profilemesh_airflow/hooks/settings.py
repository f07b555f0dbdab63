"""What a ``profilemesh`` connection says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import AirflowNotFoundException, BaseHook
from profilemesh_airflow.config.base import is_slug
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.hooks.connections import short_name
from profilemesh_airflow.hooks.form import CONN_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class HookSettings:
    """A ``profilemesh`` connection.

    :param config_path: path of the configuration, or none.
    :param environment: the environment of a configuration that names none.
    :param api_url: address of Airflow's REST API, or none.
    :param username: who logs in there, with ``password``, where there is no ``token``.
    """

    config_path: str | None = None
    environment: str | None = None
    api_url: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def find_settings(conn_id: str) -> HookSettings:
    """Look up a ``profilemesh`` connection.

    :raises ConfigError: there is none of that id, or it is of another type, or something in it cannot be used.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigError(
            f"profilemesh_conn_id: Airflow has no connection {conn_id!r}; add it with `airflow connections add`, "
            f"set AIRFLOW_CONN_{conn_id.upper()}, or give config_path"
        ) from error
    if connection.conn_type != CONN_TYPE:
        raise ConfigError(
            f"profilemesh_conn_id: connection {conn_id!r} is of type {connection.conn_type!r}, not {CONN_TYPE!r}; "
            "a database's connection belongs into the configuration, as conn_id"
        )
    extra = {short_name(name): value for name, value in connection.extra_dejson.items()}
    environment = _text(extra, "environment")
    if environment is not None and not is_slug(environment):
        raise ConfigError(
            f"connection {conn_id!r}: environment {environment!r} is not allowed; use letters, digits, '_', '-' and "
            "'.', beginning with a letter or a digit"
        )
    return HookSettings(
        _text(extra, "config_path"),
        environment,
        _address(connection),
        connection.login or None,
        connection.password or None,
        _text(extra, "token"),
    )


def _text(extra: Mapping[str, Any], name: str) -> str | None:
    return str(extra[name]).strip() or None if extra.get(name) else None


def _address(connection: Any) -> str | None:
    host = (connection.host or "").strip()
    if not host or "://" in host:
        return host or None
    # A login must not go over the network in the clear because nobody said anything.
    return f"{connection.schema or 'https'}://{host}{f':{connection.port}' if connection.port else ''}"
