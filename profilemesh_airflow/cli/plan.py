"""``plan`` and ``diff``: what should be profiled, and what of it changed. They never write."""

from __future__ import annotations

import click

from profilemesh_airflow.cli.session import Session, command_options

#: Exit code of ``diff --exit-code`` when something changed.
CHANGED = 3


@click.command()
@click.option("--offline", is_flag=True, help="Do not read the database: schema and data are unknown.")
@command_options
def plan(session: Session, offline: bool) -> None:
    """Show what should be profiled, and how.

    Lists the tables of the configuration with their fingerprint: the digests of settings, schema and data. Writes
    nothing.
    """
    from profilemesh_airflow.cli import render
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.plan_document import plan_document
    from profilemesh_airflow.usecases.planning import build_plan, offline_plan

    with session.workspace() as workspace, logged(session):
        with waiting(f"planning {len(workspace.refs)} tables"):
            found = offline_plan(workspace) if offline else build_plan(workspace)
        if session.as_json:
            session.answer(plan_document(found))
        else:
            session.warn(found.warnings)
            render.show_plan(found)


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--exit-code", is_flag=True, help=f"Exit with {CHANGED} when something changed.")
@command_options
def diff(session: Session, tables: tuple[str, ...], exit_code: bool) -> None:
    """Show which tables changed since they were last profiled, and why.

    TABLE is a table key, or a name that only one table has; without one, all tables are compared, and tables that left
    the configuration are listed as removed. Writes nothing.
    """
    from profilemesh_airflow.cli import render
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.plan_document import diff_document
    from profilemesh_airflow.usecases.planning import detect

    with session.workspace() as workspace, logged(session):
        with waiting(f"planning {len(tables) or len(workspace.refs)} tables"):
            detection = detect(workspace, tables)
        session.warn(detection.plan.warnings)
        if session.as_json:
            session.answer(diff_document(detection.diff))
        else:
            render.show_diff(detection.diff)
    if exit_code and (detection.diff.changes or detection.diff.removed):
        click.get_current_context().exit(CHANGED)
