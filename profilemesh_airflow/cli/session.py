"""What every command has: its options, the opened configuration, and the two ways to answer."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow.core.connection import without_secrets
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from profilemesh_airflow.usecases.workspace import Workspace

DEFAULT_CONFIG = Path("config.yml")

_FORMATS = {
    "text": "Text for people",
    "json": "one JSON document on stdout",
    "markdown": "Markdown for a pull request or a ticket",
}


@dataclass
class Session:
    """One run of the program.

    :param config: path of the configuration file.
    :param output: how to answer: ``text`` for people, ``markdown`` for a web page, or ``json``, one document on stdout.
    :param debug: show log messages and the traceback of an error.
    :param secrets: what must never be printed, beside the secrets of the connections.
    """

    config: Path = DEFAULT_CONFIG
    output: str = "text"
    debug: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    opened: Workspace | None = field(default=None, init=False)

    @property
    def as_json(self) -> bool:
        """Whether the answer is one JSON document."""
        return self.output == "json"

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """The opened configuration; its databases are closed in the end.

        :raises ConfigError: there is no such file, or it is wrong.
        """
        from profilemesh_airflow.cli.connections import airflow_connection
        from profilemesh_airflow.config import load_config
        from profilemesh_airflow.usecases.workspace import Workspace

        if self.config == DEFAULT_CONFIG and not self.config.exists():
            raise ConfigError(
                f"no {DEFAULT_CONFIG} in {Path.cwd()}; name the configuration with -c/--config or PROFILEMESH_CONFIG"
            )
        with Workspace(load_config(self.config), airflow_connection) as workspace:
            self.opened = workspace
            yield workspace

    def hide(self, text: str) -> str:
        """``text`` without a secret of the options and of the connections that were used."""
        used = vars(self.opened) if self.opened else {}
        settings = [used[name] for name in ("source_settings", "storage_settings") if name in used]
        return without_secrets(text, {*self.secrets, *(secret for each in settings for secret in each.secrets())})

    def answer(self, document: dict[str, Any]) -> None:
        """Print the document that is the answer of ``--format json``."""
        click.echo(json.dumps(document, indent=2))

    def report(
        self, document: Callable[[], dict[str, Any]], markdown: Callable[[], str], show: Callable[[], None]
    ) -> None:
        """Print an answer in the format that was asked for; only that is made.

        :param show: prints it as text.
        """
        if self.as_json:
            self.answer(document())
        elif self.output == "markdown":
            click.echo(markdown())
        else:
            show()

    def warn(self, warnings: Iterable[str]) -> None:
        """Print warnings, one a line, on stderr."""
        for warning in warnings:
            click.echo(self.hide(f"warning: {warning}"), err=True)


def options_with(*formats: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that every one takes; they reach it as its :class:`Session`.

    :param formats: what ``--format`` may be; the first one is usual.
    """

    def give(function: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "-c",
            "--config",
            type=click.Path(path_type=Path),
            envvar="PROFILEMESH_CONFIG",
            default=DEFAULT_CONFIG,
            show_default=True,
            show_envvar=True,
            help="The ProfileMesh configuration, YAML or JSON.",
        )
        @click.option(
            "--format",
            "output",
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            help="; ".join(_FORMATS[name] for name in formats) + ".",
        )
        @click.option("--debug", is_flag=True, help="Log on stderr what is done, and show the traceback of an error.")
        @click.pass_obj
        @wraps(function)
        def command(session: Session, /, config: Path, output: str, debug: bool, **arguments: Any) -> None:
            session.config, session.output, session.debug = config, output, debug
            function(session, **arguments)

        return command

    return give


command_options = options_with("text", "json")

#: For answers that go into a pull request or a ticket, too.
report_options = options_with("text", "json", "markdown")
