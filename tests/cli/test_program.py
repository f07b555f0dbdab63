from __future__ import annotations

import logging
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from profilemesh_airflow import __version__
from profilemesh_airflow.cli import main
from profilemesh_airflow.cli.program import create_program
from profilemesh_airflow.cli.progress import logged
from profilemesh_airflow.cli.session import Session, command_options
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import (
    ConfigError,
    NotBuiltError,
    ProfileError,
    StoreError,
    UnknownTableError,
    WarehouseError,
)

COMMANDS = ["plan", "diff", "profile", "status", "results", "drift", "replay", "doctor", "store upgrade"]


class OpenedWorkspace:
    """Stands for a workspace whose connections were used."""

    def __init__(self):
        self.source_settings = ConnectionSettings("postgres", password="hunter2")
        self.storage_settings = ConnectionSettings("postgres", password="hunter2-too")


def run_raising(error, *args):
    @click.command()
    @command_options
    def boom(session):
        session.opened = OpenedWorkspace()
        raise error

    return CliRunner().invoke(create_program(boom), ["boom", *args])


def test_the_help_lists_the_commands_in_the_order_in_which_they_are_needed():
    result = CliRunner().invoke(main, ["--help"])

    listed = result.stdout.split("Commands:")[1].split("\n")[1:]
    assert result.exit_code == 0
    assert [line.split()[0] for line in listed if line] == [
        "plan",
        "diff",
        "profile",
        "explain",
        "status",
        "results",
        "drift",
        "refresh",
        "watch",
        "replay",
        "doctor",
        "store",
        "import-cursor",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_configuration_and_a_format(command):
    result = CliRunner().invoke(main, [*command.split(), "--help"])

    assert result.exit_code == 0
    assert "-c, --config PATH" in result.stdout
    assert "PROFILEMESH_CONFIG" in result.stdout
    assert "--format [text|json" in result.stdout


def test_the_version_is_that_of_the_package():
    assert CliRunner().invoke(main, ["--version"]).stdout == f"profilemesh-airflow, version {__version__}\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "error: Missing command; see `profilemesh-airflow --help`"),
        (["store"], "error: Missing command; see `profilemesh-airflow store --help`"),
        (["explode"], "error: No such command 'explode'"),
        (["plan", "--onlin"], "error: No such option '--onlin'"),
        (["plan", "orders"], "error: Got unexpected extra argument (orders); see `profilemesh-airflow plan --help`"),
        (["plan", "--format", "xml"], "error: Invalid value for '--format': 'xml' is not one of 'text', 'json'"),
        (["results"], "error: Missing argument 'TABLE'; see `profilemesh-airflow results --help`"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(args, message):
    result = CliRunner().invoke(main, args, prog_name="profilemesh-airflow")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ConfigError("config.yml:3: environment: is missing"), 2),
        (UnknownTableError("table 'x' is not in the plan"), 2),
        (NotBuiltError("sampling is not built yet"), 2),
        (WarehouseError("no database at db:5432"), 1),
        (ProfileError("table x was not profiled yet"), 1),
        (StoreError("the store is newer"), 1),
    ],
)
def test_an_error_is_one_line_on_stderr_and_an_exit_code_that_says_whose_it_is(error, exit_code):
    result = run_raising(error)

    assert (result.exit_code, result.stdout, result.stderr) == (exit_code, "", f"error: {error}\n")


def test_every_problem_of_a_configuration_is_a_line_of_its_own():
    result = run_raising(ConfigError("config.yml:3: one\nconfig.yml:9: two"))

    assert result.stderr == "error: config.yml:3: one\nerror: config.yml:9: two\n"


def test_an_error_that_nobody_expected_is_one_line_too_and_says_how_to_see_more():
    result = run_raising(ZeroDivisionError("division\n  by zero"))

    assert result.exit_code == 1
    assert result.stderr == (
        "error: unexpected ZeroDivisionError: division by zero (--debug shows where it comes from)\n"
    )


def test_debug_shows_the_traceback_before_the_line():
    result = run_raising(StoreError("it broke"), "--debug")

    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.endswith("StoreError: it broke\nerror: it broke\n")


@pytest.mark.parametrize("args", [(), ("--debug",)])
@pytest.mark.parametrize("kind", [StoreError, ValueError])
def test_no_secret_is_printed_whatever_an_error_says(kind, args):
    result = run_raising(kind("no login for 'hunter2' nor 'hunter2-too'"), *args)

    assert "hunter2" not in result.stderr
    assert "no login for '***' nor '***'" in result.stderr


def test_an_interrupt_is_quiet_and_has_the_exit_code_of_shells():
    result = run_raising(KeyboardInterrupt())

    assert result.exit_code == 130
    assert (result.stdout, result.stderr.strip()) == ("", "")


def test_help_answers_without_loading_what_only_commands_need():
    code = "import sys; from profilemesh_airflow.cli import main; main(['--help'], standalone_mode=False); " + (
        "print(sorted({'airflow', 'sqlalchemy', 'pydantic', 'yaml', 'rich', 'alembic', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "profilemesh_airflow", "--version"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"profilemesh-airflow, version {__version__}\n"


def test_log_messages_are_lines_on_stderr_without_secrets_and_those_of_other_packages_are_not_shown(capsys):
    ours, other = logging.getLogger("profilemesh_airflow.x"), logging.getLogger("sqlalchemy.pool.x")
    session = Session()
    session.opened = OpenedWorkspace()

    with logged(session):
        ours.info("not now")
        ours.warning("the word is %s\nand more", "hunter2")
        other.error("hunter2")

    assert capsys.readouterr().err == "warning: the word is ***\\nand more\n"


def test_debug_shows_what_is_done(capsys):
    with logged(Session(debug=True)):
        logging.getLogger("profilemesh_airflow.x").info("profiling orders")

    assert capsys.readouterr().err == "info: profiling orders\n"
