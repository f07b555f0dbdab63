"""The program around the commands: which exit code an error gives, and the line it prints."""

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

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

#: Errors of the caller: what they wrote, in the configuration or as an argument.
_MISUSE = (ConfigError, NotBuiltError, UnknownTableError)

_HELP = """Profile exactly the tables that changed.

Reads the ProfileMesh configuration, plans what should be profiled, compares the plan with what was last profiled, and
profiles the difference. Does what the Airflow operators do, without Airflow.

Exit codes: 0 fine, 1 failed, 2 bad usage or configuration; with --exit-code, `diff` and `drift` give 3 when there is
any.
"""


class Program(click.Group):
    """A group of commands whose errors are one line each on stderr, and an exit code."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names of the commands, in the order in which they are needed."""
        return list(self.commands)

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
    program = Program("profilemesh-airflow", help=_HELP, no_args_is_help=False, context_settings=settings)
    for command in commands:
        program.add_command(command)
    return click.version_option(__version__, prog_name="profilemesh-airflow")(program)


def _report(error: Exception, session: Session) -> int:
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if session.debug and not isinstance(error, click.ClickException):
        click.echo(session.hide("".join(traceback.format_exception(error)).rstrip()), err=True)
    for line in session.hide(_message(error)).splitlines():
        click.echo(f"error: {line}", err=True)
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
