"""Refresh: detect, record in the ledger, and say which doorbells to ring."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from profilemesh_airflow.core.budget import queue
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.usecases.happenings import recorded, refreshed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.core.budget import Budget
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.store import Writes
    from profilemesh_airflow.usecases.planning import Detection
    from profilemesh_airflow.usecases.workspace import Workspace

log = logging.getLogger(__name__)


def record(workspace: Workspace, detection: Detection, budget: Budget | None = None) -> list[LedgerEntry]:
    """Write what was detected into the ledger, in one transaction, and tell of the refresh.

    :param budget: the most that is to be rung; none is no limit.
    :returns: the changes whose doorbell is due and for which there is budget, in the order of the queue: new ones, and
        those that nobody answered in time.
    """
    written = _write(workspace, detection, budget)
    workspace.events.tell(refreshed(detection.diff, written.steps, written.to_ring, detection.requested))
    return list(written.to_ring)


def record_selected(workspace: Workspace, detection: Detection, budget: Budget | None = None) -> list[LedgerEntry]:
    """The same for tables that are about to be profiled at once: nobody is rung, and no refresh is told of."""
    written = _write(workspace, detection, budget)
    workspace.events.tell(recorded(written.steps))
    return list(written.to_ring)


def _write(workspace: Workspace, detection: Detection, budget: Budget | None) -> Writes:
    written: list[Writes] = []
    # One whose answer was lost is written again, which at worst profiles a forced table twice; it is told of once, or
    # never.
    workspace.retry.call(
        "recording what changed",
        lambda: workspace.ledger.record(detection.diff, detection.seen, budget, written.append),
    )
    _prune_events(workspace)
    return written[-1]


def _prune_events(workspace: Workspace) -> None:
    """Delete what the store's event log has kept for long enough; what is left over goes with the next refresh."""
    try:
        gone = workspace.store.events(workspace.identity).prune(workspace.config.model.airflow.events_retention)
    except StoreError as error:
        # What changed is recorded, and has to be rung for.
        log.warning("old events could not be deleted, the next refresh tries again: %s", error)
    else:
        log.debug("%d event(s) older than airflow.events_retention were deleted", gone)


def deferred(workspace: Workspace, to_ring: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """The changes that wait for a refresh with budget left, the next one first.

    :param to_ring: changes that this refresh is about to ring, and that wait no longer.
    """
    found = workspace.retry.call("reading the ledger", lambda: workspace.ledger.view())
    chosen = {entry.change_id for entry in to_ring}
    return queue(
        entry for entry in found.entries.values() if entry.deferred(found.now) and entry.change_id not in chosen
    )


def waiting(workspace: Workspace, change_ids: Iterable[str]) -> list[LedgerEntry]:
    """Those of the changes that still wait for a worker; the others were taken, profiled or retired meanwhile."""
    wanted = list(change_ids)
    now = workspace.retry.call("reading the ledger", lambda: workspace.ledger.now())
    found = workspace.retry.call("reading the ledger", lambda: workspace.ledger.entries(wanted))
    return [entry for entry in found if entry.waiting(now)]


def mark_rung(workspace: Workspace, entries: Iterable[LedgerEntry]) -> None:
    """Note that doorbells are sent, so that the next ones wait their time."""
    rung = [entry.change_id for entry in entries]
    # One whose answer was lost is noted again, which at worst makes the next doorbell wait longer.
    workspace.retry.call("noting the doorbells", lambda: workspace.ledger.mark_rung(rung))
