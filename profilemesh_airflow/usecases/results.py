"""Reading what was found: the latest profile of a table, and its drift against the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.drift import DriftFinding, Snapshot, find_drift
from profilemesh_airflow.core.naming import find_table
from profilemesh_airflow.exceptions import ProfileError
from profilemesh_airflow.usecases.settings import thresholds_of

if TYPE_CHECKING:
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import StoredProfile
    from profilemesh_airflow.usecases.workspace import Workspace


@dataclass(frozen=True)
class DriftReport:
    """One run of a table against its previous run.

    :param previous_run_id: the run it was compared with; none where there is no earlier run, and so no drift.
    :param previous_origin: who made that run: ``profilemesh-airflow``, or ``earlier integration``.
    """

    ref: TableRef
    run_id: str
    previous_run_id: str | None
    previous_origin: str | None
    findings: tuple[DriftFinding, ...]

    @property
    def severity(self) -> str | None:
        """That of the worst finding."""
        return self.findings[0].severity if self.findings else None

    def as_dict(self, limit: int | None = None) -> dict[str, Any]:
        """The report as JSON-safe data, with the ``limit`` worst findings."""
        return {
            "table_key": self.ref.key,
            "run_id": self.run_id,
            "previous_run_id": self.previous_run_id,
            "previous_origin": self.previous_origin,
            "severity": self.severity,
            "drifted": len(self.findings),
            "findings": [finding.as_dict() for finding in self.findings[:limit]],
        }


def latest_profile(workspace: Workspace, name: str) -> StoredProfile:
    """The latest committed profile of a table, or, where there is none, the latest of the earlier integration.

    :param name: the table's key, or a name that only one table has.
    :raises UnknownTableError: the plan lists no such table, or several.
    :raises ProfileError: the table was never profiled.
    """
    return _latest(workspace, find_table(workspace.refs, name))


def drift_of(workspace: Workspace, ref: TableRef) -> DriftReport:
    """Compare the latest profile of a table with the one before.

    :raises ProfileError: the table was never profiled.
    :raises NotBuiltError: the configuration asks for a drift strategy that this release does not have.
    """
    thresholds = thresholds_of(workspace.config.model)
    latest = _latest(workspace, ref)
    previous = workspace.results.previous(latest)
    if previous is None:
        return DriftReport(ref, latest.run_id, None, None, ())
    findings = find_drift(_snapshot(previous), _snapshot(latest), thresholds)
    return DriftReport(ref, latest.run_id, previous.run_id, previous.origin, findings)


def _latest(workspace: Workspace, ref: TableRef) -> StoredProfile:
    profile = workspace.results.latest(ref.key)
    if profile is None:
        raise ProfileError(f"table {ref.display} was not profiled yet; `profilemesh-airflow status` says why")
    return profile


def _snapshot(profile: StoredProfile) -> Snapshot:
    return Snapshot(profile.row_count, profile.columns)
