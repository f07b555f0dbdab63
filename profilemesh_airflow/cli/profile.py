"""``profile``: profile tables now, and commit what was found."""

from __future__ import annotations

import os
import socket
from typing import Any

import click

from profilemesh_airflow.cli.session import Session, command_options


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--changed", is_flag=True, help="Only the tables that changed since they were last profiled.")
@click.option("--force", is_flag=True, help="Parked tables too.")
@click.option("--reason", metavar="TEXT", help="Why, for the ledger.")
@command_options
def profile(session: Session, tables: tuple[str, ...], changed: bool, force: bool, reason: str | None) -> None:
    """Profile tables now, and store what was found.

    TABLE is a table key, or a name that only one table has; without one, all tables are meant. They are profiled
    whether they changed or not. A table that is parked, since it failed too often, is skipped, and the answer says why.

    With --changed, only the tables are profiled whose plan differs from what was last profiled: what an Airflow
    refresh would profile.

    With --force, parked tables are profiled too.

    A table that fails does not stop the others; the exit code is 1 then.
    """
    from profilemesh_airflow.cli import render
    from profilemesh_airflow.cli.progress import Reporter, logged, waiting
    from profilemesh_airflow.usecases.outcome import split
    from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_changes

    with session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        with waiting("planning"):
            refs = select_changes(workspace, tables, changed_only=changed, force=force, reason=reason)
        with Reporter(len(refs)) as reporter:
            profiled, skipped, failed = split(profile_tables(workspace, refs, Worker(_worker_name()), reporter))
        if session.as_json:
            session.answer({"profiled": _all(profiled), "skipped": _all(skipped), "failed": _all(failed)})
        else:
            render.show_outcomes(profiled, skipped, failed)
    if failed:
        click.get_current_context().exit(1)


def _worker_name() -> str:
    return f"command line, process {os.getpid()} on {socket.gethostname()}"


def _all(outcomes: list[Any]) -> list[dict[str, Any]]:
    return [outcome.as_dict() for outcome in outcomes]
