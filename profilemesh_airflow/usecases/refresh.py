"""Refresh: detect, record in the ledger, and say which doorbells to ring."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.usecases.planning import Detection
    from profilemesh_airflow.usecases.workspace import Workspace


def record(workspace: Workspace, detection: Detection) -> list[LedgerEntry]:
    """Write what was detected into the ledger, in one transaction.

    :returns: the changes whose doorbell is due, oldest first: new ones, and those that nobody answered in time.
    """
    return workspace.ledger.record(detection.diff, detection.seen)


def waiting(workspace: Workspace, change_ids: Iterable[str]) -> list[LedgerEntry]:
    """Those of the changes that still wait for a worker; the others were taken, profiled or retired meanwhile."""
    now = workspace.ledger.now()
    return [entry for entry in workspace.ledger.entries(list(change_ids)) if entry.waiting(now)]
