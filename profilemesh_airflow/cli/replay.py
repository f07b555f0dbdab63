"""``replay``: have tables profiled again, whether or not anything changed."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import click

from profilemesh_airflow.cli.session import Session, command_options


def _since(_: click.Context, __: click.Parameter, value: str | None) -> datetime | timedelta | None:
    """The moment, in UTC unless it says otherwise, or the length of time that ``value`` says."""
    from profilemesh_airflow.config import parse_duration

    if value is None:
        return None
    with suppress(ValueError):
        return parse_duration(value)
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time; write it as 2024-01-31, 2024-01-31T18:00 or 2d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--since",
    callback=_since,
    metavar="WHEN",
    help="Tables that were last profiled then or later: 2024-01-31, 2024-01-31T18:00 (UTC), or 2d, 12h ago.",
)
@click.option("--parked", is_flag=True, help="Tables that are parked, since they failed too often.")
@click.option("--reason", metavar="TEXT", help="Why, for the ledger.")
@command_options
def replay(
    session: Session, tables: tuple[str, ...], since: datetime | timedelta | None, parked: bool, reason: str | None
) -> None:
    """Have tables profiled again, whether or not anything changed.

    TABLE is a table key, or a name that only one table has. Name tables, or say which with --since and --parked; where
    several are given, a table has to meet all of them.

    Re-opens the change of each table in the ledger; a parked one starts with no failed attempts again. The profiled
    database is not asked. The next refresh rings for the tables, and `profile --changed` profiles them at once.
    """
    from profilemesh_airflow.cli import render
    from profilemesh_airflow.cli.progress import logged
    from profilemesh_airflow.usecases.replay import replay as replay_tables

    if not tables and since is None and not parked:
        raise click.UsageError(
            "Nothing to replay: name tables, or give --since or --parked", click.get_current_context()
        )
    with session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        reopened, skipped = replay_tables(workspace, tables, since=since, parked=parked, reason=reason)
        if session.as_json:
            session.answer(
                {"replayed": [each.as_dict() for each in reopened], "skipped": [each.as_dict() for each in skipped]}
            )
        else:
            render.show_replay(reopened, skipped)
