"""What was found of the earlier integration, and what was adopted, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from profilemesh_airflow.cli.grid import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.store import Adoption, Copied, EarlierResults, LeftOut

#: What was left behind is listed one by one, up to so many; the JSON document has all.
_MOST_LISTED = 20


def show_earlier(earlier: EarlierResults) -> None:
    """Print what there is to adopt, and what an adoption would do."""
    click.echo(f"the earlier integration's results are here: {_counted(earlier)}")
    click.echo("they are read as history, and left as they are; `store upgrade --adopt` would copy them, and then")
    for present, name in earlier.renames.items():
        click.echo(f"  rename {present} to {name}")


def show_adopted(adopted: Adoption) -> None:
    """Print what was adopted, what was not, and what the tables are called now."""
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
