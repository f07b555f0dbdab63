"""``import-cursor``: take over what the earlier integration's plan sensor remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.session import Session, command_options

if TYPE_CHECKING:
    from io import TextIOWrapper


@click.command("import-cursor")
@click.option(
    "--variable", metavar="NAME", help="The Variable of Airflow's it is in.  [default: profilemesh_plan_cursor]"
)
@click.option(
    "--file", type=click.File(encoding="utf-8"), help="Read it from a file instead, or from standard input: -"
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@command_options
def import_cursor(session: Session, variable: str | None, file: TextIOWrapper | None, dry_run: bool) -> None:
    """Take over what ProfileMesh's earlier integration remembered, so that an upgrade does not profile everything.

    Its plan sensor kept the settings of every table in an Airflow Variable. A table is taken over where its settings
    are the same today and the results store has a profile of it; it then counts as profiled. From now on its changes
    are found; and since nobody knows what changed before, it is profiled once more when `airflow.profile_after` is
    over.

    Run it once, before the first refresh. Tables that have a baseline already are left alone. The Variable is not
    changed; delete it when the earlier integration is gone.
    """
    from profilemesh_airflow.cli.connections import airflow_variable
    from profilemesh_airflow.usecases.import_cursor import CURSOR_VARIABLE, import_cursor as take_over

    if variable and file:
        raise click.UsageError("Give --variable or --file, not both", click.get_current_context())
    with session.workspace() as workspace:
        session.warn(workspace.config.warnings)
        text = file.read() if file else airflow_variable(variable or CURSOR_VARIABLE)
        taken, left = take_over(workspace, text, dry_run=dry_run)
        if session.as_json:
            session.answer(
                {"taken_over": [each.as_dict() for each in taken], "left": [each.as_dict() for each in left]}
            )
            return
        for table in taken:
            click.echo(f"{table.ref.key}: taken over, as run {table.run_id} left it")
        for other in left:
            click.echo(f"{other.ref.key}: not taken over: {other.why}")
        said = "would be taken over" if dry_run else "taken over"
        click.echo(f"{len(taken)} of {len(taken) + len(left)} tables {said}")
