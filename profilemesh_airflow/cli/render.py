"""The answers as text: plan, diff, outcomes, states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow.cli.grid import Cell, Grid, printable, show
from profilemesh_airflow.core.diff import Reason
from profilemesh_airflow.core.plan import METRICS
from profilemesh_airflow.core.profile import OF_ROWS
from profilemesh_airflow.core.wording import to_the_second

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from profilemesh_airflow.core.diff import Diff
    from profilemesh_airflow.core.plan import Partition, Plan, PlanEntry, Sampling
    from profilemesh_airflow.usecases.lock import LockChange
    from profilemesh_airflow.usecases.outcome import Failed, Profiled, Skipped
    from profilemesh_airflow.usecases.replay import Reopened
    from profilemesh_airflow.usecases.status import TableStatus

_STYLES = {
    "current": "green",
    "open": "yellow",
    "deferred": "yellow",
    "claimed": "cyan",
    "parked": "bold red",
    "profiled": "green",
    "skipped": "dim",
    "failed": "bold red",
}

#: Digits of a digest that are shown; all are in the JSON document.
_DIGITS = 8


def show_plan(plan: Plan) -> None:
    """Print a plan: one row a table."""
    identity = plan.identity
    click.echo(f"{_tables(plan.entries)} of source {identity.source}, environment {identity.environment}")
    headers = ("table", "metrics", "partition", "sampling", "settings", "schema", "data")
    show(Grid(headers, [_plan_row(entry) for entry in plan.entries]))


def show_lock(lock: LockChange) -> None:
    """Print what is new in the lock file."""
    for sign, keys in (("+", lock.added), ("-", lock.removed)):
        for key in keys:
            click.echo(f"{sign} {key}")
    outcome = "written" if lock.written else "is not up to date" if lock.changed else "is up to date"
    click.echo(printable(f"{lock.file}: {outcome}"))


def show_diff(diff: Diff) -> None:
    """Print a diff: one row a change, with its reasons below each other."""
    rows: list[tuple[Cell, ...]] = [(change.key, _reasons(change.reasons)) for change in diff.changes]
    rows += [(ref.key, "removed") for ref in diff.removed]
    if rows:
        show(Grid(("table", "why"), rows))
    _summary({"changed": diff.changes, "removed": diff.removed, "unchanged": diff.unchanged})


def show_found_diff(document: Mapping[str, Any]) -> None:
    """Print the diff that a dry run of a refresh left in Airflow, in the same way."""
    rows: list[tuple[Cell, ...]] = [
        (change["table_key"], _reasons(Reason(**reason) for reason in change["reasons"]))
        for change in document["changes"]
    ]
    rows += [(key, "removed") for key in document["removed"]]
    if rows:
        show(Grid(("table", "why"), rows))
    counts = {
        "changed": len(document["changes"]) + document.get("more_changes", 0),
        "removed": len(document["removed"]),
        "unchanged": document["unchanged"],
    }
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no tables")


def show_outcomes(profiled: Sequence[Profiled], skipped: Sequence[Skipped], failed: Sequence[Failed]) -> None:
    """Print what became of every table; what needs attention stands last, next to the prompt."""
    rows: list[tuple[Cell, ...]] = [(out.ref.key, "skipped", "", "", "", out.why) for out in skipped]
    rows += [(out.ref.key, "profiled", *_cost(out), _reasons(out.reasons)) for out in profiled]
    rows += [(out.ref.key, "failed", "", "", "", out.error) for out in failed]
    headers = ("table", "outcome", "rows", "columns", "seconds", "why")
    if rows:
        show(Grid(headers, rows, frozenset(headers[2:5]), _STYLES))
    _summary({"profiled": profiled, "skipped": skipped, "failed": failed})


def show_states(states: Sequence[TableStatus]) -> None:
    """Print where every table stands: one row a table."""
    queued = any(status.queue_place for status in states)
    rows = [
        (
            status.ref.key,
            status.state,
            *((str(status.queue_place or ""),) if queued else ()),
            _reasons(status.reasons) + ((f"put off: {status.postponed}",) if status.postponed else ()),
            str(status.attempts),
            to_the_second(status.last_profiled_at) if status.last_profiled_at else "never",
            status.last_error or "",
        )
        for status in states
    ]
    headers = ("table", "state", *(("place",) if queued else ()), "why", "attempts", "last profiled", "last error")
    show(Grid(headers, rows, frozenset({"place", "attempts"}), _STYLES))
    order = ("current", "open", "deferred", "claimed", "parked")
    _summary({state: [s for s in states if s.state == state] for state in order})


def show_replay(reopened: Sequence[Reopened], skipped: Sequence[Skipped]) -> None:
    """Print which tables are profiled again, after those that are not, and what happens next."""
    rows: list[tuple[Cell, ...]] = [(out.ref.key, "skipped", out.why) for out in skipped]
    rows += [(out.ref.key, "re-opened", _replayed(out)) for out in reopened]
    if not rows:
        click.echo("nothing re-opened: no table of the plan meets all that is asked")
        return
    show(Grid(("table", "outcome", "why"), rows, styles=_STYLES))
    _summary({"re-opened": reopened, "skipped": skipped})
    if reopened:
        click.echo(
            "The next refresh rings for what is re-opened; `profilemesh-airflow profile --changed` profiles it now."
        )


def _replayed(outcome: Reopened) -> str:
    if outcome.before == outcome.state == "claimed":
        return "a worker is at it; it is profiled once more after that"
    return f"it was {outcome.before}"


def _plan_row(entry: PlanEntry) -> tuple[Cell, ...]:
    settings, digests = entry.settings, entry.fingerprint
    metrics = "all" if settings.metrics == METRICS else ", ".join(settings.metrics)
    parts = (digests.settings, digests.schema, digests.data)
    shown = (part[:_DIGITS] if part else "unknown" for part in parts)
    return (entry.key, metrics, _partition(settings.partition), _sampling(settings.sampling), *shown)


def _partition(partition: Partition | None) -> str:
    if partition is None:
        return "-"
    count = f" {partition.recent_n}" if partition.recent_n else ""
    values = f" {', '.join(map(str, partition.values))}" if partition.values else ""
    return f"{partition.strategy}{count}{values} of {partition.key or 'its own key'}"


def _sampling(sampling: Sampling | None) -> str:
    if sampling is None:
        return "-"
    limit = f", at most {sampling.max_rows} rows" if sampling.max_rows else ""
    return f"{sampling.method} {100 * sampling.fraction:g} %{limit}"


def _cost(outcome: Profiled) -> tuple[str, str, str]:
    profile = outcome.profile
    return f"{profile.row_count}{OF_ROWS.get(profile.rows_of, '')}", str(len(profile.columns)), f"{profile.seconds:.2f}"


def _reasons(reasons: Iterable[Reason]) -> tuple[str, ...]:
    return tuple(map(str, reasons))


def _tables(tables: Sequence[object]) -> str:
    return f"{len(tables)} {'table' if len(tables) == 1 else 'tables'}"


def _summary(groups: dict[str, Sequence[object]]) -> None:
    counts = (f"{len(tables)} {name}" for name, tables in groups.items() if tables)
    click.echo(", ".join(counts) or "no tables")
