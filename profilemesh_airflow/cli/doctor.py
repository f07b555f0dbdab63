"""``doctor``: what keeps changes from being profiled, and what to do about it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.session import Session, command_options

if TYPE_CHECKING:
    from profilemesh_airflow.cli.grid import Cell
    from profilemesh_airflow.usecases.doctor import Diagnosis

#: So many findings of a check are shown as text; the JSON document has all.
SHOWN = 20

_STYLES = {"error": "bold red", "warning": "yellow"}


@click.command()
@click.option(
    "--airflow",
    metavar="URL",
    envvar="PROFILEMESH_AIRFLOW_URL",
    show_envvar=True,
    help="Ask this Airflow too, such as https://airflow.example.com; without a login in it.",
)
@click.option("--username", envvar="PROFILEMESH_AIRFLOW_USERNAME", show_envvar=True, help="Who asks Airflow.")
@click.option(
    "--password",
    envvar="PROFILEMESH_AIRFLOW_PASSWORD",
    show_envvar=True,
    help="Better in the variable: others on the machine can see the arguments of a program.",
)
@click.option(
    "--token", envvar="PROFILEMESH_AIRFLOW_TOKEN", show_envvar=True, help="In place of user name and password."
)
@command_options
def doctor(
    session: Session, airflow: str | None, username: str | None, password: str | None, token: str | None
) -> None:
    """Look for what keeps changes from being profiled, and say what to do about it.

    Looks at the results store and its changes: those that are open for longer than airflow.deadline, parked, or held
    by a worker that is dead. With --airflow, also at that Airflow: whether it works, who refreshes, which table has no
    DAG, or a paused one while a change waits, and which DAG file cannot be imported. Writes nothing.

    The exit code is 1 when something was found.
    """
    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.doctor import examine

    session.secrets = tuple(filter(None, (password, token)))
    if airflow and not token and not (username and password):
        raise click.UsageError("Airflow wants a login: give --username and --password, or --token")
    api = AirflowApi(airflow, username, password, token=token) if airflow else nullcontext()
    with session.workspace() as workspace, logged(session), api as asked:
        session.warn(workspace.config.warnings)
        with waiting("examining"):
            diagnosis = examine(workspace, asked)
        if session.as_json:
            session.answer(diagnosis.as_dict())
        else:
            show_diagnosis(diagnosis)
    if diagnosis.findings:
        click.get_current_context().exit(1)


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Print the findings, the worst last, next to the prompt, and what was not looked at."""
    from profilemesh_airflow.cli.grid import Grid, show
    from profilemesh_airflow.usecases.doctor import CHECKS, ERROR, WARNING

    rows: list[tuple[Cell, ...]] = []
    more: list[str] = []
    for severity in (WARNING, ERROR):
        for check in CHECKS:
            found = [each for each in diagnosis.findings if (each.severity, each.check) == (severity, check)]
            rows += [(severity, check, each.where, (each.what, f"-> {each.remedy}")) for each in found[:SHOWN]]
            more += [f"and {len(found) - SHOWN} more {severity}s of {check}"] if len(found) > SHOWN else []
    if rows:
        show(Grid(("severity", "check", "where", "what, and what to do"), rows, styles=_STYLES))
    if more:
        click.echo("; ".join(more) + "; --format json has them all")
    for why in dict.fromkeys(diagnosis.not_checked.values()):
        checks = ", ".join(check for check in CHECKS if diagnosis.not_checked.get(check) == why)
        click.echo(f"not checked: {checks}: {why}")
    counts = {severity: sum(each.severity == severity for each in diagnosis.findings) for severity in (ERROR, WARNING)}
    summary = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count)
    click.echo(f"{summary or 'nothing found'}; checked: {', '.join(diagnosis.checked)}")
