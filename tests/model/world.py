"""The profiled world: tables that somebody edits, and a clock that somebody sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

from profilemesh_airflow.core.plan import Column, Identity, Plan, PlanEntry, TableInfo, TableSettings
from profilemesh_airflow.core.profile import ColumnProfile, TableProfile
from profilemesh_airflow.core.table import TableRef

NAMES = ("a", "b", "c")
METRICS = {"count": 3, "null_count": 0}


@dataclass
class Table:
    """One table, as it is now; each part of its fingerprint is a number.

    :param known: whether the warehouse can tell the version of the rows.
    :param listed: whether the configuration has it.
    :param exists: whether the warehouse has it.
    """

    name: str
    settings: int = 0
    schema: int = 0
    data: int = 0
    known: bool = True
    listed: bool = True
    exists: bool = True
    priority: int = 0
    size: int | None = None

    @property
    def entry(self) -> PlanEntry:
        """Its line of the plan, were it listed."""
        ref, settings = TableRef(self.name), TableSettings(histogram_bins=10 + self.settings)
        if not self.exists:
            return PlanEntry(ref, settings, missing=True, priority=self.priority)
        columns = (Column("id", "INTEGER"), Column(f"note_{self.schema}", "TEXT"))
        info = TableInfo(ref, columns, estimated_bytes=self.size)
        return PlanEntry(ref, settings, info, False, str(self.data) if self.known else None, self.priority)

    @property
    def profile(self) -> TableProfile:
        """What a profile finds."""
        columns = tuple(ColumnProfile(name, "TEXT", METRICS) for name in ("id", "note"))
        return TableProfile(row_count=3, columns=columns, queries=1, rows_scanned=3, seconds=0.1)


@dataclass
class World:
    """All tables, and the clock of the store's database.

    :param tick: counts what happens, as no clock that can be set does.
    """

    identity: Identity
    now: datetime = datetime(2024, 1, 1, tzinfo=timezone.utc)
    tick: int = 0
    tables: dict[str, Table] = field(default_factory=lambda: {name: Table(name) for name in NAMES})

    @property
    def listed(self) -> dict[str, Table]:
        return {name: table for name, table in self.tables.items() if table.listed}

    @property
    def plan(self) -> Plan:
        return Plan(self.identity, tuple(table.entry for table in self.listed.values()))
