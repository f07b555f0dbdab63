"""``store``: care for the results store."""

from __future__ import annotations

import click

from profilemesh_airflow.cli.session import Session, command_options


@click.group(no_args_is_help=False)
def store() -> None:
    """Care for the results store."""


@store.command()
@click.option("--adopt", is_flag=True, help="Take over the results of ProfileMesh's earlier integration.")
@command_options
def upgrade(session: Session, adopt: bool) -> None:
    """Bring the results store to the schema of this release.

    Makes the tables where there are none. Does nothing where they are up to date; safe while others do the same.

    Where ProfileMesh's earlier integration has its tables under the configured names, they are read as history, and
    left as they are. With --adopt, their rows are copied into this store's own tables, they are renamed (_legacy at the
    end), and this store's tables get their names. Stop the earlier integration before.
    """
    from profilemesh_airflow.cli.adoption_view import show_adopted, show_earlier

    with session.workspace() as workspace:
        session.warn(workspace.config.warnings)
        place = workspace.storage_settings.place
        before, after = workspace.store.upgrade()
        adopted = workspace.store.adopt(workspace.identity, workspace.refs) if adopt else None
        earlier = workspace.store.earlier()
        if session.as_json:
            documents = {"earlier_results": earlier, "adopted": adopted}
            found = {name: document and document.as_dict() for name, document in documents.items()}
            session.answer({"store": place, "before": before, "after": after, **found})
            return
        click.echo(f"{place}: schema {_step(before, after)}")
        if adopted:
            show_adopted(adopted)
        elif adopt:
            click.echo("nothing to adopt: no tables of the earlier integration have the configured names")
        elif earlier:
            show_earlier(earlier)


def _step(before: str | None, after: str) -> str:
    return f"{after}, up to date" if before == after else f"{before or 'none'} -> {after}"
