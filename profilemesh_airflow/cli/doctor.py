"""``doctor``: what keeps changes from being profiled, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.airflow import AirflowAddress, airflow_options
from profilemesh_airflow.cli.session import Session, command_options

if TYPE_CHECKING:
    from profilemesh_airflow.cli.grid import Cell
    from profilemesh_airflow.usecases.doctor import Diagnosis

#: So many findings of a check are shown as text; the JSON document has all.
SHOWN = 20

_STYLES = {"error": "bold red", "warning": "yellow"}


@click.command()
@airflow_options
@command_options
def doctor(session: Session, airflow: AirflowAddress) -> None:
    """Look for what keeps changes from being profiled, and say what to do about it.

    Looks at the results store and the profiled database, whether they can be reached, written and read, and at the
    changes: those that are open for longer than airflow.deadline, parked, or held by a worker that is dead. With
    --airflow, also at that Airflow: whether it works, is set up for so many tables and has this package, who refreshes,
    which table has no DAG, or a paused one while a change waits, which DAG or asset is of no table, and which DAG file
    cannot be imported. Writes nothing.

    The exit code is 1 when something was found.
    """
    from profilemesh_airflow.cli.connections import airflow_settings
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.doctor import examine

    with session.workspace() as workspace, logged(session), airflow.open(session) as asked:
        session.warn(workspace.config.warnings)
        with waiting("examining"):
            diagnosis = examine(workspace, asked, airflow_settings)
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
