"""Where every table stands: current, open, claimed or parked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.diff import Reason
from profilemesh_airflow.core.ledger import OPEN, LedgerEntry

if TYPE_CHECKING:
    from datetime import datetime

    from profilemesh_airflow.core.diff import Baseline
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.workspace import Workspace

CURRENT = "current"


@dataclass(frozen=True)
class TableStatus:
    """One table of the plan, as the ledger has it.

    :param state: ``current``, ``open``, ``claimed`` or ``parked``.
    :param attempts: failed profiles since the table last changed.
    :param last_error: why the latest of them failed; for people, it is not part of :meth:`as_dict`.
    """

    ref: TableRef
    state: str
    reasons: tuple[Reason, ...] = ()
    attempts: int = 0
    last_error: str | None = None
    last_profiled_at: datetime | None = None
    last_run_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON-safe data."""
        return {
            "table_key": self.ref.key,
            "state": self.state,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "attempts": self.attempts,
            "last_profiled_at": self.last_profiled_at.isoformat() if self.last_profiled_at else None,
            "last_run_id": self.last_run_id,
        }


def table_states(workspace: Workspace) -> list[TableStatus]:
    """The state of every table of the plan, by ledger and baselines; the profiled database is not asked."""
    found = workspace.store.peek(workspace.identity)
    return [_status(ref, found.entries.get(ref.key), found.baselines.get(ref.key), found.now) for ref in workspace.refs]


def _status(ref: TableRef, entry: LedgerEntry | None, baseline: Baseline | None, now: datetime) -> TableStatus:
    profiled_at, run_id = (baseline.profiled_at, baseline.run_id) if baseline else (None, None)
    if entry is not None:
        # A lease that has run out holds nobody off.
        state = OPEN if entry.waiting(now) else entry.state
        return TableStatus(ref, state, entry.reasons, entry.attempts, entry.last_error, profiled_at, run_id)
    if baseline is None:
        return TableStatus(ref, OPEN, (Reason("added", "table", None, ref.key),))
    return TableStatus(ref, CURRENT, last_profiled_at=profiled_at, last_run_id=run_id)
