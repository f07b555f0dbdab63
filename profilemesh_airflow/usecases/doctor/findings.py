"""What an examination looks at, and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.exceptions import ProfileMeshError

ERROR, WARNING = "error", "warning"

STORE, WAREHOUSE, LOCK, CLOCKS = "store", "warehouse", "plan-lock", "clocks"
OVERDUE, PARKED, LEASES, EVENTS = "overdue-changes", "parked-changes", "expired-leases", "event-hooks"
AIRFLOW, PROVIDER, SETTINGS = "airflow", "provider", "airflow-settings"
REFRESH, CONSUMERS, STALE, ASSETS, IMPORTS = "refresh-dag", "consumers", "stale-dags", "assets", "import-errors"

#: Every check, in the order in which they are made.
CHECKS = (
    STORE,
    WAREHOUSE,
    LOCK,
    OVERDUE,
    PARKED,
    LEASES,
    EVENTS,
    AIRFLOW,
    CLOCKS,
    PROVIDER,
    SETTINGS,
    REFRESH,
    CONSUMERS,
    STALE,
    ASSETS,
    IMPORTS,
)


class NotTold(Exception):
    """What a check is about is nothing that this machine is told, and no trouble: the check is left out, with this."""


@dataclass(frozen=True)
class Finding:
    """One thing that keeps, or soon may keep, a change from being profiled, or somebody from hearing of it.

    :param check: one of :data:`CHECKS`.
    :param severity: ``error``, or ``warning`` where nothing waits because of it yet.
    :param where: a table's key, a DAG, a file, a database or an address.
    :param remedy: what to do about it.
    """

    check: str
    severity: str
    where: str
    what: str
    remedy: str

    @classmethod
    def of(cls, check: str, where: str, error: ProfileMeshError, severity: str = ERROR) -> Finding:
        """An error of this package: its message ends with what to do, after a semicolon."""
        what, _, remedy = str(error).rpartition("; ")
        return cls(check, severity, where, what, remedy) if what else cls(check, severity, where, remedy, "")

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON-safe data."""
        return asdict(self)


@dataclass
class Diagnosis:
    """What was found, and what could not be looked at: a check that was not made has not been passed."""

    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    not_checked: dict[str, str] = field(default_factory=dict)

    def add(self, check: str, findings: Iterable[Finding]) -> None:
        """A check was made."""
        self.checked.append(check)
        self.findings += findings

    def leave_out(self, checks: Iterable[str], why: str) -> None:
        """Checks cannot be made."""
        self.not_checked.update(dict.fromkeys(checks, why))

    def as_dict(self) -> dict[str, Any]:
        """The diagnosis as JSON-safe data; ``why_not`` is none for a check that was made."""
        checks = [{"check": check, "why_not": self.not_checked.get(check)} for check in CHECKS]
        return {"findings": [finding.as_dict() for finding in self.findings], "checks": checks}
