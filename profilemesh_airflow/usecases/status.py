"""Where every table stands: current, open, deferred, claimed or parked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.budget import queue
from profilemesh_airflow.core.diff import Reason
from profilemesh_airflow.core.ledger import OPEN, Expired, LedgerEntry, advance

if TYPE_CHECKING:
    from datetime import datetime

    from profilemesh_airflow.core.diff import Baseline
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.workspace import Workspace

CURRENT, DEFERRED = "current", "deferred"


@dataclass(frozen=True)
class TableStatus:
    """One table of the plan, as the ledger has it.

    :param state: ``current``, ``open``, ``deferred`` (open, and the last refresh had no budget left, or a worker put it
        off), ``claimed`` or ``parked``.
    :param attempts: failed profiles since the table last changed.
    :param last_error: why the latest of them failed; for people, it is not part of :meth:`as_dict`.
    :param postponed: why the last worker put it off.
    :param queue_place: where a deferred one stands among all that the next refresh may ring, from 1.
    """

    ref: TableRef
    state: str
    reasons: tuple[Reason, ...] = ()
    attempts: int = 0
    last_error: str | None = None
    last_profiled_at: datetime | None = None
    last_run_id: str | None = None
    queue_place: int | None = None
    postponed: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON-safe data."""
        return {
            "table_key": self.ref.key,
            "state": self.state,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "attempts": self.attempts,
            "last_profiled_at": self.last_profiled_at.isoformat() if self.last_profiled_at else None,
            "last_run_id": self.last_run_id,
            "queue_place": self.queue_place,
            "postponed": self.postponed,
        }


def table_states(workspace: Workspace) -> list[TableStatus]:
    """The state of every table of the plan, by ledger and baselines; the profiled database is not asked.

    A claim whose lease ran out is shown as what the next refresh or worker makes of it: a failed attempt.
    """
    found, planned = workspace.store.peek(workspace.identity), set(workspace.refs)
    entries = {
        key: _given_up(entry, found.now, workspace.policy)
        for key, entry in found.entries.items()
        if entry.ref in planned
    }
    waiting = queue(entry for entry in entries.values() if entry.to_ring(found.now))
    places = {entry.key: place for place, entry in enumerate(waiting, start=1) if entry.deferred(found.now)}
    return [
        _status(ref, entries.get(ref.key), found.baselines.get(ref.key), places.get(ref.key)) for ref in workspace.refs
    ]


def _given_up(entry: LedgerEntry, now: datetime, policy: Policy) -> LedgerEntry:
    return advance(entry, Expired(), now, policy) if entry.expired(now) else entry


def _status(ref: TableRef, entry: LedgerEntry | None, baseline: Baseline | None, place: int | None) -> TableStatus:
    # What was taken over from the earlier integration has no profile of ours.
    own = baseline is not None and not baseline.imported
    profiled_at, run_id = (baseline.profiled_at, baseline.run_id) if baseline and own else (None, None)
    if entry is not None:
        postponed = entry.postponed if entry.state == OPEN else None
        state = entry.state if place is None and postponed is None else DEFERRED
        return TableStatus(
            ref, state, entry.reasons, entry.attempts, entry.last_error, profiled_at, run_id, place, postponed
        )
    if baseline is None:
        return TableStatus(ref, OPEN, (Reason("added", "table", None, ref.key),))
    return TableStatus(ref, CURRENT, last_profiled_at=profiled_at, last_run_id=run_id)
