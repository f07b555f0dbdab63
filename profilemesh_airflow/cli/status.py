"""``status`` and ``results``: where every table stands, and what was found in one."""

from __future__ import annotations

import click

from profilemesh_airflow.cli.session import Session, command_options


@click.command()
@command_options
def status(session: Session) -> None:
    """Show where every table stands: current, open, deferred, claimed or parked.

    Reads the results store, not the profiled database; `diff` asks the database what changed. A deferred table waits
    for a refresh with some of airflow.budget left; "place" is where it stands in that queue.
    """
    from profilemesh_airflow.cli import render
    from profilemesh_airflow.cli.progress import logged
    from profilemesh_airflow.usecases.status import table_states

    with session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        states = table_states(workspace)
        if session.as_json:
            session.answer({"tables": [state.as_dict() for state in states]})
        else:
            render.show_states(states)


@click.command()
@click.argument("table")
@command_options
def results(session: Session, table: str) -> None:
    """Show the latest profile of a table.

    TABLE is a table key, or a name that only one table has.
    """
    from profilemesh_airflow.cli.profile_view import results_document, show_results
    from profilemesh_airflow.cli.progress import logged
    from profilemesh_airflow.usecases.results import latest_profile

    with session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        found = latest_profile(workspace, table)
        if session.as_json:
            session.answer(results_document(found))
        else:
            show_results(found)
