"""Signs of life of a worker while a long profile runs."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import TIMEOUT_MAX, Event, Thread
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.usecases.workspace import Workspace

log = logging.getLogger(__name__)

#: Beats in a lease: two may fail before it runs out.
BEATS = 3


@contextmanager
def heartbeat(workspace: Workspace, claim: LedgerEntry) -> Iterator[None]:
    """Renew the claim again and again while the block runs, so that nobody takes its worker for dead.

    A beat that fails is logged, and the next one comes in its time. A claim that is lost ends the beats and not the
    block: nobody else may have taken the change, and then its commit is still accepted.
    """
    over = Event()
    # A daemon: where the process is told to end, this is no reason to stay.
    beats = Thread(target=_beat, args=(workspace, claim, over), name="profilemesh-heartbeat", daemon=True)
    beats.start()
    try:
        yield
    finally:
        over.set()
        # A beat that is under way ends first, so that none comes after the commit and finds the claim gone.
        beats.join()


def _beat(workspace: Workspace, claim: LedgerEntry, over: Event) -> None:
    pause = min(workspace.policy.lease.total_seconds() / BEATS, TIMEOUT_MAX)
    while not over.wait(pause):
        try:
            workspace.ledger.renew(claim)
        except ClaimLostError as error:
            log.warning("%s is profiled to its end all the same, and may be committed: %s", claim.key, error)
            return
        except Exception as error:  # noqa: BLE001 - the boundary: one failed beat must not be the last
            log.warning("a sign of life for %s could not be given: %s", claim.key, workspace.redact(str(error)))
