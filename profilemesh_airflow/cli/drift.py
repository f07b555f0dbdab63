"""``drift``: how the latest profiles differ from those before them. It never writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.session import Session, command_options

if TYPE_CHECKING:
    from profilemesh_airflow.cli.grid import Cell
    from profilemesh_airflow.usecases.drift import DriftReport

#: Exit code of ``drift --exit-code`` when a table drifted.
DRIFTED = 3

#: So many findings of a table are shown as text; the JSON document has all.
SHOWN = 20

_STYLES = {"high": "bold red", "medium": "yellow", "low": "dim"}


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--exit-code", is_flag=True, help=f"Exit with {DRIFTED} when a table drifted.")
@click.option("--notify", is_flag=True, help="Tell the hooks of the configuration which tables drifted.")
@command_options
def drift(session: Session, tables: tuple[str, ...], exit_code: bool, notify: bool) -> None:
    """Show how the latest profile of each table differs from those before it.

    TABLE is a table key, or a name that only one table has; without one, all tables that were profiled are looked at.
    Reads the results store, not the profiled database. Writes nothing.

    With --notify, the hooks of the configuration are told of every table that drifted, each time it is asked for.
    """
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.drift import drift_of_tables, tell_of_drift

    with session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        with waiting("comparing profiles"):
            reports = drift_of_tables(workspace, tables)
        for report in reports if notify else ():
            tell_of_drift(workspace, report)
        if session.as_json:
            session.answer({"tables": [report.as_dict() for report in reports]})
        else:
            show_drift(reports)
    if exit_code and any(report.findings for report in reports):
        click.get_current_context().exit(DRIFTED)


def show_drift(reports: list[DriftReport]) -> None:
    """Print a row a finding, the worst of each table first; then what was not looked at."""
    from profilemesh_airflow.cli.grid import Grid, printable, show

    rows: list[tuple[Cell, ...]] = [
        (report.ref.key, finding.severity, finding.subject, finding.moved, finding.measure)
        for report in reports
        for finding in report.findings[:SHOWN]
    ]
    if rows:
        show(Grid(("table", "drift", "of", "before -> after", "measure"), rows, styles=_STYLES))
    for report in reports:
        hidden = len(report.findings) - SHOWN
        more = [f"{hidden} more findings; --format json has them all"] if hidden > 0 else []
        for note in (*more, *report.notes):
            click.echo(printable(f"{report.ref.key}: {note}"))
    click.echo(_summary(reports))


def _summary(reports: list[DriftReport]) -> str:
    severities = Counter(report.severity for report in reports if report.findings)
    first = sum(not report.findings and report.previous_run_id is None for report in reports)
    counts = {
        **{f"with {severity} drift": severities[severity] for severity in ("high", "medium", "low")},
        "without drift": len(reports) - sum(severities.values()) - first,
        "not compared": first,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no table was profiled yet"
