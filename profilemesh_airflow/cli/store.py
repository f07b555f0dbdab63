"""``store``: care for the results store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.grid import printable
from profilemesh_airflow.cli.session import Session, command_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.store import Adoption, Copied, EarlierResults, LeftOut

#: What was left behind is listed one by one, up to so many; the JSON document has all.
_MOST_LISTED = 20


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
            _show_adopted(adopted)
        elif adopt:
            click.echo("nothing to adopt: no tables of the earlier integration have the configured names")
        elif earlier:
            _show_earlier(earlier)


def _step(before: str | None, after: str) -> str:
    return f"{after}, up to date" if before == after else f"{before or 'none'} -> {after}"


def _show_earlier(earlier: EarlierResults) -> None:
    click.echo(f"the earlier integration's results are here: {_counted(earlier)}")
    click.echo("they are read as history, and left as they are; `store upgrade --adopt` would copy them, and then")
    for present, name in earlier.renames.items():
        click.echo(f"  rename {present} to {name}")


def _show_adopted(adopted: Adoption) -> None:
    copied = adopted.copied
    click.echo(f"adopted from the earlier integration: {_counted(copied)}")
    if copied.repeated:
        click.echo(f"not copied, since a retry of the same run wrote them anew: {_number(copied.repeated, 'row')}")
    if copied.left_out:
        _show_left_out(copied.left_out)
    for former, name in adopted.renamed.items():
        click.echo(f"renamed {former} to {name}")


def _show_left_out(left_out: Sequence[LeftOut]) -> None:
    click.echo(f"not copied, since they cannot be understood: {_number(sum(left.rows for left in left_out), 'row')}")
    for left in left_out[:_MOST_LISTED]:
        where = f"run {left.run_id or '?'} of {left.table or '?'}"
        click.echo(printable(f"  {where}: {_number(left.rows, 'row')}: {left.why}"))
    if len(left_out) > _MOST_LISTED:
        click.echo(f"  and {len(left_out) - _MOST_LISTED} more; --format json lists all")


def _counted(results: EarlierResults | Copied) -> str:
    return f"{_number(results.runs, 'run')} with {_number(results.metric_rows, 'metric row')}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
