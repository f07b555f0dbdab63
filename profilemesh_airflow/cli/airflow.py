"""Which Airflow to ask, and as whom: the options of every command that asks one."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.cli.session import Session

#: The option of the commands that start the refresh DAG; it reaches them as ``dag_id``.
refresh_dag_option = click.option(
    "--dag-id", default="profilemesh_plan_refresh", show_default=True, help="The refresh DAG."
)

#: In place of a password or a token: it is the first line of the standard input.
FROM_STDIN = "-"


@dataclass(frozen=True)
class AirflowAddress:
    """Where an Airflow is, and who asks it.

    :param url: none where no Airflow is to be asked.
    """

    url: str | None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def has_login(self) -> bool:
        """Whether it is known who asks."""
        return bool(self.token or (self.username and self.password))

    def open(self, session: Session) -> AbstractContextManager[AirflowApi | None]:
        """The client, or nothing where no Airflow is to be asked; raises as :meth:`require` does."""
        self._hide(session)
        return nullcontext() if self.url is None else self.require(session)

    def require(self, session: Session) -> AirflowApi:
        """The client, to be used as a context manager; its secrets are never printed.

        :raises click.UsageError: the address or the login is missing.
        :raises ConfigError: it is no address.
        """
        from profilemesh_airflow.airflow_api import AirflowApi

        self._hide(session)
        if self.url is None:
            raise click.UsageError("Which Airflow? give --airflow with its address, or --connection")
        if not self.has_login:
            raise click.UsageError("Airflow wants a login: give --username and --password, or --token")
        return AirflowApi(self.url, self.username, self.password, token=self.token)

    def _hide(self, session: Session) -> None:
        session.secrets = tuple(filter(None, (self.password, self.token)))


def airflow_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; they reach it as its argument ``airflow``, an :class:`AirflowAddress`."""

    @click.option(
        "--airflow",
        "url",
        metavar="URL",
        envvar="PROFILEMESH_AIRFLOW_URL",
        show_envvar=True,
        help="Ask this Airflow, such as https://airflow.example.com; without a login in it.",
    )
    @click.option("--username", envvar="PROFILEMESH_AIRFLOW_USERNAME", show_envvar=True, help="Who asks Airflow.")
    @click.option(
        "--password",
        envvar="PROFILEMESH_AIRFLOW_PASSWORD",
        show_envvar=True,
        help="Better in the variable, or - to be read from the standard input: others on the machine can see the "
        "arguments of a program. Asked for on a terminal, where it is not given.",
    )
    @click.option(
        "--token",
        envvar="PROFILEMESH_AIRFLOW_TOKEN",
        show_envvar=True,
        help="In place of user name and password; - as for these.",
    )
    @click.option(
        "--connection",
        "conn_id",
        metavar="CONN_ID",
        envvar="PROFILEMESH_AIRFLOW_CONN_ID",
        show_envvar=True,
        help="A profilemesh connection of Airflow's, for what the other options do not say.",
    )
    @wraps(function)
    def command(
        *args: Any,
        url: str | None,
        username: str | None,
        password: str | None,
        token: str | None,
        conn_id: str | None,
        **arguments: Any,
    ) -> None:
        given = AirflowAddress(url or None, username or None, _secret(password), _secret(token))
        function(*args, airflow=_asked_for(_completed(given, conn_id)), **arguments)

    return command


def _completed(given: AirflowAddress, conn_id: str | None) -> AirflowAddress:
    """What the options say and, where they do not, the connection: who asks is taken from one of them as a whole."""
    if not conn_id:
        return given
    from profilemesh_airflow.cli.connections import profilemesh_connection

    known = profilemesh_connection(conn_id)
    who = given if given.token or given.username else known
    return AirflowAddress(given.url or known.api_url, who.username, who.password, who.token)


def _asked_for(address: AirflowAddress) -> AirflowAddress:
    """With the password that a user is asked for, where one sits at a terminal and it is all that is missing."""
    if not address.url or not address.username or address.has_login or not sys.stdin.isatty():
        return address
    password = click.prompt(f"Password of {address.username} at {address.url}", hide_input=True, err=True)
    return AirflowAddress(address.url, address.username, password)


def _secret(given: str | None) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") or None if given == FROM_STDIN else given
