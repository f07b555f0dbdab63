"""Drift of a table: its latest profile against the profiles before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.drift import (
    NONE,
    DriftFinding,
    Snapshot,
    data_changes,
    find_drift,
    find_schema_drift,
    find_staleness,
    metrics_for,
    worst_first,
)
from profilemesh_airflow.core.naming import find_tables
from profilemesh_airflow.exceptions import NotBuiltError
from profilemesh_airflow.store import OWN
from profilemesh_airflow.usecases.happenings import drifted
from profilemesh_airflow.usecases.results import latest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from profilemesh_airflow.core.drift import DriftRules
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import StoredProfile
    from profilemesh_airflow.usecases.workspace import Workspace

_ROWS_OF = {"table": "the whole table", "partitions": "some partitions", "sample": "a sample"}


@dataclass(frozen=True)
class DriftReport:
    """One run of a table against the runs before it.

    :param previous_run_id: the run that it was compared with, the last of several; none where there is none.
    :param previous_origin: who made that run: ``profilemesh-airflow``, or ``earlier integration``.
    :param runs_compared: how many earlier runs it was compared with.
    :param findings: the worst first.
    :param notes: what was not looked at, and why.
    """

    ref: TableRef
    run_id: str
    previous_run_id: str | None
    previous_origin: str | None
    runs_compared: int = 0
    findings: tuple[DriftFinding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def severity(self) -> str:
        """That of the worst finding."""
        return self.findings[0].severity if self.findings else NONE

    def as_dict(self, limit: int | None = None) -> dict[str, Any]:
        """The report as JSON-safe data, with the ``limit`` worst findings."""
        return {
            "table_key": self.ref.key,
            "run_id": self.run_id,
            "previous_run_id": self.previous_run_id,
            "previous_origin": self.previous_origin,
            "runs_compared": self.runs_compared,
            "severity": self.severity,
            "drifted": len(self.findings),
            "findings": [finding.as_dict() for finding in self.findings[:limit]],
            "notes": list(self.notes),
        }


def drift_of(workspace: Workspace, ref: TableRef, now: datetime | None = None) -> DriftReport:
    """Compare the latest profile of a table with those before it, by the table's rules. Only reads.

    :param now: when the age of the data is looked at; none means now.
    :raises ProfileError: the table was never profiled.
    :raises NotBuiltError: the configuration asks for a drift strategy that this release does not have.
    :raises ExtraMissingError: it asks for one that needs a library which is not installed.
    """
    return _compare(workspace, ref, latest_of(workspace, ref), now or datetime.now(timezone.utc))


def drift_of_tables(workspace: Workspace, names: Iterable[str] = ()) -> list[DriftReport]:
    """:func:`drift_of` the named tables.

    :param names: keys, or names that only one table has; none means every table that was profiled.
    :raises UnknownTableError: a name fits no table, or several.
    :raises ProfileError: a named table was never profiled.
    """
    named = find_tables(workspace.refs, names)
    if named:
        return [drift_of(workspace, ref) for ref in named]
    now = datetime.now(timezone.utc)
    latest = ((ref, workspace.results.latest(ref.key)) for ref in workspace.refs)
    return [_compare(workspace, ref, profile, now) for ref, profile in latest if profile is not None]


def tell_of_drift(workspace: Workspace, report: DriftReport) -> None:
    """Tell the hooks what drifted, if anything did."""
    workspace.events.tell([drifted(report)])


def _compare(workspace: Workspace, ref: TableRef, latest: StoredProfile, now: datetime) -> DriftReport:
    rules = workspace.drift[ref]
    if not rules.enabled:
        return DriftReport(ref, latest.run_id, None, None, notes=("drift is switched off for this table",))
    if "ml_based" in rules.strategies:
        raise NotBuiltError(
            f"drift strategy ml_based of table {ref.display} is not supported in this release; "
            "use absolute_threshold, standard_deviation, psi or ks"
        )
    previous = workspace.results.previous(latest)
    earlier = workspace.results.earlier(latest, rules.window, metrics_for(rules))
    findings = worst_first(
        [
            *find_drift(_snapshot(latest), [_snapshot(each) for each in earlier], rules),
            *_schema_drift(previous, latest, rules),
            *_staleness(workspace, ref, rules, now),
        ]
    )
    return DriftReport(
        ref,
        latest.run_id,
        earlier[0].run_id if earlier else None,
        earlier[0].origin if earlier else None,
        len(earlier),
        findings,
        tuple(_notes(latest, previous, earlier, rules)),
    )


def _snapshot(profile: StoredProfile) -> Snapshot:
    # How many rows a sample has is a setting, and says nothing of the table.
    return Snapshot(None if profile.rows_of == "sample" else profile.row_count, profile.columns)


def _schema_drift(previous: StoredProfile | None, latest: StoredProfile, rules: DriftRules) -> Iterator[DriftFinding]:
    # The earlier integration spelled types in its own way, and kept no column that it could not profile.
    if previous is not None and previous.origin == latest.origin == OWN:
        yield from find_schema_drift(previous.columns, latest.columns, rules)


def _staleness(workspace: Workspace, ref: TableRef, rules: DriftRules, now: datetime) -> Iterator[DriftFinding]:
    if not rules.freshness.enabled:
        return
    seen = workspace.results.data_seen(ref.key, rules.freshness.window)
    found = find_staleness(data_changes(seen[::-1]), now, rules.freshness)
    yield from (found,) if found else ()


def _notes(
    latest: StoredProfile, previous: StoredProfile | None, earlier: Sequence[StoredProfile], rules: DriftRules
) -> Iterator[str]:
    for name in rules.unmatched([column.name for column in latest.columns]):
        yield f"drift.columns: {name!r} fits no column of the table"
    if latest.rung not in (None, "full"):
        yield f"the profile was made on rung {latest.rung}: a metric that it did not compute anew is as it was"
    if latest.rows_of == "sample":
        yield "the rows of a sample are not counted against those of another"
    if previous is None:
        return
    if previous.rows_of and latest.rows_of and previous.rows_of != latest.rows_of:
        before, now = _ROWS_OF[previous.rows_of], _ROWS_OF[latest.rows_of]
        yield f"the run before, {previous.run_id}, is of {before}, this one of {now}: its metrics are not compared"
    if previous.origin != OWN:
        yield f"columns and types are not compared with those of the {previous.origin}"
    if len(earlier) < rules.min_runs:
        needed, known = rules.min_runs, len(earlier)
        yield f"standard_deviation needs {needed} earlier runs, and there are {known}: it says nothing yet"
