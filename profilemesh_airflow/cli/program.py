"""The program around the commands: which exit code an error gives, and the one line it prints."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow import __version__
from profilemesh_airflow.cli.session import Session
from profilemesh_airflow.exceptions import ConfigError, NotBuiltError, ProfileMeshError, UnknownTableError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Exit codes. :data:`CHANGED` is only for ``diff --exit-code``.
FAILED, MISUSED, CHANGED, INTERRUPTED = 1, 2, 3, 130

#: Errors of the caller: what they wrote, in the configuration or as an argument.
_MISUSE = (ConfigError, NotBuiltError, UnknownTableError)

_HELP = """Profile exactly the tables that changed.

Reads the ProfileMesh configuration, plans what should be profiled, compares the plan with what was last profiled, and
profiles the difference. Does what the Airflow operators do, without Airflow.

Exit codes: 0 fine, 1 failed, 2 bad usage or configuration; `diff --exit-code` gives 3 when something changed.
"""


class Program(click.Group):
    """A group of commands whose errors are one line on stderr, and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that ``args`` names and leave the interpreter with its exit code."""
        session = Session()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name the terminal's encoding lacks is shown escaped
                stream.reconfigure(errors="backslashreplace")
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, obj=session, **extra)
        except Exception as error:  # noqa: BLE001 - the outermost boundary: told to the user
            code = _report(error, session)
        if standalone_mode:
            sys.exit(code)
        return code


def create_program(*commands: click.Command) -> Program:
    """The program with the given commands, listed in this order."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
    program = Program("profilemesh-airflow", help=_HELP, context_settings=settings)
    for command in commands:
        program.add_command(command)
    program.list_commands = lambda _: [str(command.name) for command in commands]  # type: ignore[method-assign]
    return click.version_option(__version__, prog_name="profilemesh-airflow")(program)


def _report(error: Exception, session: Session) -> int:
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if session.debug and not isinstance(error, click.ClickException):
        click.echo(session.redact("".join(traceback.format_exception(error)).rstrip()), err=True)
    click.echo(session.redact(f"error: {_message(error)}"), err=True)
    if isinstance(error, click.ClickException):
        return error.exit_code
    return MISUSED if isinstance(error, _MISUSE) else FAILED


def _message(error: Exception) -> str:
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "profilemesh-airflow"
        return f"{error.format_message().rstrip('.')}; see `{path} --help`"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, ProfileMeshError):
        return str(error)
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())} (--debug shows where it comes from)"
