"""``store``: care for the results store."""

from __future__ import annotations

import click

from profilemesh_airflow.cli.session import Session, command_options


@click.group(no_args_is_help=False)
def store() -> None:
    """Care for the results store."""


@store.command()
@command_options
def upgrade(session: Session) -> None:
    """Bring the results store to the schema of this release.

    Makes the tables where there are none. Does nothing where they are up to date; safe while others do the same.
    """
    with session.workspace() as workspace:
        session.warn(workspace.config.warnings)
        place = workspace.storage_settings.place
        before, after = workspace.store.upgrade()
        if session.as_json:
            session.answer({"store": place, "before": before, "after": after})
        elif before == after:
            click.echo(f"{place}: schema {after}, up to date")
        else:
            click.echo(f"{place}: schema {before or 'none'} -> {after}")
