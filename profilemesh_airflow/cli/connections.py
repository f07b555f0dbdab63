"""Airflow's connections, Variables and settings, for whoever names or needs one. Airflow is imported only then."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.session import Session
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.hooks.settings import HookSettings


def airflow_connection(conn_id: str) -> ConnectionSettings:
    """Look up a connection in Airflow's environment variables, secrets backends and database.

    :raises ConfigError: Airflow is not installed here, or has no such connection.
    """
    otherwise = (
        f"conn_id: {conn_id!r} is a connection of Airflow, which is not installed here; install apache-airflow, "
        "or give type, host and the rest in place of conn_id"
    )
    with _airflow_or(otherwise):
        from profilemesh_airflow.hooks.connections import resolve_connection

        return resolve_connection(conn_id)


def profilemesh_connection(conn_id: str) -> HookSettings:
    """Look up a ``profilemesh`` connection in the same places.

    :raises ConfigError: Airflow is not installed here, has no such connection, or one of another type.
    """
    otherwise = (
        f"--connection: {conn_id!r} is a connection of Airflow, which is not installed here; give --airflow and a login"
    )
    with _airflow_or(otherwise):
        from profilemesh_airflow.hooks.settings import find_settings

        return find_settings(conn_id)


def airflow_variable(name: str) -> str:
    """Look up a Variable in Airflow's environment variables, secrets backends and database.

    :raises ConfigError: Airflow is not installed here, or gives no such Variable.
    """
    with _airflow_or(f"Variable {name!r} is one of Airflow's, which is not installed here; give its text with --file"):
        from profilemesh_airflow.compat.variables import get_variable

        text = get_variable(name)
    if text is None:
        # It is the same to Airflow whether there is none, or its database or key cannot be used; that it only logs.
        raise ConfigError(
            f"Airflow gives no Variable {name!r}: there is none of that name, or Airflow's database or key cannot be "
            "used, which --debug shows; give its name with --variable, or its text with --file"
        )
    return text


def airflow_settings() -> Callable[[str, str], str | None] | None:
    """What looks up a setting of the Airflow on this machine, by section and name; none where none is installed."""
    try:
        with _beside_airflow():
            from profilemesh_airflow.compat.configuration import get_setting

            get_setting("core", "parallelism")
    except ModuleNotFoundError as error:
        _check_airflow_missing(error)
        return None
    return get_setting


@contextmanager
def _airflow_or(otherwise: str) -> Iterator[None]:
    """As :func:`_beside_airflow`; where no Airflow is installed, an error that says ``otherwise``."""
    try:
        with _beside_airflow():
            yield
    except ModuleNotFoundError as error:
        _check_airflow_missing(error)
        raise ConfigError(otherwise) from error


@contextmanager
def _beside_airflow() -> Iterator[None]:
    """Import and ask Airflow; what it logs is not shown, and what it makes of this process's logging does not stay.

    With ``--debug`` it is shown, on stderr: stdout is for answers.
    """
    # As `airflow connections get` does: Airflow 3 asks its own database only in a process that says it is no task.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        with redirect_stdout(sys.stderr) if _debug() else _untold():
            yield
    finally:
        root.handlers[:] = before


def _debug() -> bool:
    context = click.get_current_context(silent=True)
    session = context.find_object(Session) if context else None
    return session is not None and session.debug


@contextmanager
def _untold() -> Iterator[None]:
    # Airflow keeps the streams that it finds, so it is one that can still be written to later.
    nowhere = TextIOWrapper(BytesIO(), encoding="utf-8")
    with redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _check_airflow_missing(error: ModuleNotFoundError) -> None:
    if (error.name or "").partition(".")[0] != "airflow":
        raise error
