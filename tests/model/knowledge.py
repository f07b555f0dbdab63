"""What a model of the ledger knows: who looked and claimed when, and what each table was promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.core.diff import Change, Diff
    from profilemesh_airflow.core.fingerprint import Fingerprint
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.plan import PlanEntry
    from profilemesh_airflow.store import LedgerView

    Row = Mapping[str, Any]

#: A clock that was set back by less is not noticed.
TOLERANCE = timedelta(minutes=1)
NEVER = -1


@dataclass
class Refresh:
    """A refresh under way.

    :param began: the tick at which it looked at the ledger.
    :param plan: what it saw of the tables, once it has looked at them.
    :param requested: nobody asked for it.
    """

    seen: LedgerView
    began: int
    plan: Mapping[str, PlanEntry] | None = None
    diff: Diff | None = None
    requested: str | None = None

    @property
    def changes(self) -> dict[str, Change]:
        return {change.key: change for change in self.diff.changes}

    @property
    def removed(self) -> set[str]:
        return {ref.key for ref in self.diff.removed}

    @property
    def looked_at(self) -> set[str]:
        return {*self.changes, *self.removed, *self.diff.unchanged}

    def returned(self, name: str) -> bool:
        """Whether it saw the table at the very fingerprint of its baseline."""
        baseline = self.seen.baselines.get(name)
        return baseline is not None and self.plan[name].fingerprint == baseline.fingerprint


@dataclass
class Job:
    """A worker with a claim.

    :param began: the tick of its claim.
    :param entry: its line of the plan as it was before its profile began, once it has.
    :param table: the table itself at that moment.
    """

    claim: LedgerEntry
    began: int
    entry: PlanEntry | None = None
    table: Mapping[str, Any] | None = None

    @property
    def profiles(self) -> bool:
        """Whether its profile has begun, and can succeed: the table is there."""
        return self.entry is not None and self.entry.info is not None


@dataclass
class Kept:
    """What the ledger promises of one table.

    :param baseline: the fingerprint of the latest committed profile, its time and its run.
    :param differs_since: the tick since which the table differs from its baseline.
    :param refreshed: the tick at which the latest refresh began that recorded what it saw of the table.
    :param written: the tick at which its rows were written last.
    :param moved: the tick at which the open change's target last moved, or somebody forced it.
    :param confirmed: the tick at which a refresh last recorded that the table is at its target.
    :param forced: the tick of a force that no commit has answered yet.
    :param claimed: the tick of the open change's latest claim.
    :param unnoticed: by how much the clock was set back between two writes, too little each time to be noticed.
    """

    baseline: tuple[Fingerprint, datetime, str] | None = None
    differs_since: int | None = None
    refreshed: int = NEVER
    written: int = NEVER
    moved: int = NEVER
    confirmed: int = NEVER
    forced: int | None = None
    claimed: int = NEVER
    attempts: int = 0
    rings: int = 0
    unnoticed: timedelta = timedelta(0)

    def target_moved(self, tick: int) -> None:
        self.moved, self.attempts, self.rings = tick, 0, 0

    def gave_up(self) -> None:
        self.attempts += self.claimed > self.moved


def live(row: Row, now: datetime) -> bool:
    """Whether a worker holds the claim: its lease goes on, and the clock was not set back since."""
    return row["state"] == "claimed" and row["lease_until"] > now and not set_back(row, now)


def set_back(row: Row, now: datetime) -> bool:
    return row["updated_at"] - now > TOLERANCE


def rings_wait_is_over(row: Row, now: datetime) -> bool:
    return row["next_ring_at"] <= now or set_back(row, now)


def target_of(row: Row) -> tuple[str | None, ...]:
    return row["target_settings"], row["target_schema"], row["target_data"]


def parts(fingerprint: Fingerprint) -> tuple[str | None, ...]:
    return fingerprint.settings, fingerprint.schema, fingerprint.data
