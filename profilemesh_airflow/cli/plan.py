"""``plan`` and ``diff``: what should be profiled, and what of it changed. They never write."""

from __future__ import annotations

from pathlib import Path

import click

from profilemesh_airflow.cli.session import Session, command_options, report_options

#: Exit code of ``diff --exit-code`` and ``plan --lock --check`` when something changed.
CHANGED = 3

#: ``--lock`` without a file.
_BESIDE = ""


@click.command()
@click.option("--offline", is_flag=True, help="Do not read the database: schema and data are unknown.")
@click.option(
    "--lock",
    is_flag=False,
    flag_value=_BESIDE,
    metavar="[FILE]",
    help="Write the tables to a file for DAG files to read; by default beside the configuration.",
)
@click.option(
    "--check", is_flag=True, help=f"With --lock: write nothing, and exit with {CHANGED} if the file would change."
)
@command_options
def plan(session: Session, offline: bool, lock: str | None, check: bool) -> None:
    """Show what should be profiled, and how.

    Lists the tables of the configuration with their fingerprint: the digests of settings, schema and data. Writes
    nothing, but for the file of --lock.

    A configuration that selects tables by pattern needs that file: DAG files must not ask the database. Offline, too,
    the tables are those of the file.
    """
    from profilemesh_airflow.cli import render
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.lock import lock_of, lock_path, renew_lock
    from profilemesh_airflow.usecases.plan_document import plan_document
    from profilemesh_airflow.usecases.planning import build_plan, offline_plan

    if check and lock is None:
        raise click.UsageError("--check goes with --lock")
    if offline and lock is not None:
        raise click.UsageError("--lock asks the database which tables there are; take --offline away")
    with session.workspace() as workspace, logged(session):
        with waiting("planning"):
            found = offline_plan(workspace) if offline else build_plan(workspace)
        renewed = None
        if lock is not None:
            file = Path(lock) if lock else lock_path(workspace.config.path)
            renewed = renew_lock(lock_of(workspace.config.model, found), file, write=not check)
        if session.as_json:
            session.answer({**plan_document(found), **({"lock": renewed.as_dict()} if renewed else {})})
        else:
            session.warn(found.warnings)
            render.show_plan(found)
            if renewed:
                render.show_lock(renewed)
    if check and renewed and renewed.changed:
        click.get_current_context().exit(CHANGED)


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--against",
    metavar="REF|FILE",
    help="Compare with another version of the configuration, a file or a git commit, and not with the last profiles.",
)
@click.option("--offline", is_flag=True, help="With --against: do not read the database; sizes are unknown.")
@click.option("--exit-code", is_flag=True, help=f"Exit with {CHANGED} when something changed.")
@report_options
def diff(session: Session, tables: tuple[str, ...], against: str | None, offline: bool, exit_code: bool) -> None:
    """Show which tables changed since they were last profiled, and why.

    TABLE is a table key, or a name that only one table has; without one, all tables are compared, and tables that left
    the configuration are listed as removed. Writes nothing.

    With --against, shows instead what a change of the configuration would have profiled, for a pull request: which
    tables, why, about how many rows and bytes, and which DAGs would run. That needs no store, no Airflow, and no
    database but for sizes and for what patterns find where there is no lock; what is unknown is said.
    """
    if against is None and offline:
        raise click.UsageError("--offline goes with --against")
    changed = _against(session, tables, against, offline) if against else _since_profiled(session, tables)
    if exit_code and changed:
        click.get_current_context().exit(CHANGED)


def _against(session: Session, tables: tuple[str, ...], against: str, offline: bool) -> bool:
    """Whether a change of the configuration would have something profiled, or no longer profiled."""
    from profilemesh_airflow.cli import diff_view
    from profilemesh_airflow.cli.connections import airflow_connection
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.against import compare_versions, former_version

    with session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        former = former_version(workspace.config.path, against)
        with waiting("comparing"):
            proposal = compare_versions(workspace, former, tables, connections=airflow_connection, offline=offline)
        session.report(proposal.as_dict, lambda: diff_view.as_markdown(proposal), lambda: diff_view.show(proposal))
    return bool(proposal.tables or proposal.removed)


def _since_profiled(session: Session, tables: tuple[str, ...]) -> bool:
    """Whether a table differs from its last profile, or left the plan."""
    from profilemesh_airflow.cli import diff_view, render
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.against import proposal_of
    from profilemesh_airflow.usecases.plan_document import diff_document
    from profilemesh_airflow.usecases.planning import detect

    with session.workspace() as workspace, logged(session):
        with waiting("planning"):
            detection = detect(workspace, tables)
        session.warn(detection.plan.warnings)
        session.report(
            lambda: diff_document(detection.diff),
            lambda: diff_view.as_markdown(proposal_of(workspace, detection)),
            lambda: render.show_diff(detection.diff),
        )
    return bool(detection.diff.changes or detection.diff.removed)
