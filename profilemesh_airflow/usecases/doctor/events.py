"""The receivers of events that could not be told of late."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from profilemesh_airflow.core.events import HOOK_FAILED
from profilemesh_airflow.core.wording import times
from profilemesh_airflow.usecases.doctor.findings import EVENTS, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.store import StoredEvent
    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

#: How far back is looked.
SINCE = timedelta(hours=24)


def failing_hooks(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The hooks, callbacks and notifiers that failed in the last 24 hours, each with its latest error."""
    workspace = site.workspace
    log = workspace.store.peek_events(workspace.identity)
    found: dict[str, list[StoredEvent]] = {}
    for failure in log.latest(HOOK_FAILED, SINCE) if log else ():
        found.setdefault(str(failure.payload.get("hook")), []).append(failure)
    for hook, failures in found.items():
        last = failures[0]
        about = last.payload.get("about")
        of = f" of {about}" if about else ""
        yield Finding(
            EVENTS,
            WARNING,
            hook,
            f"it could not be told {times(len(failures))} in the last 24 hours, last at "
            f"{last.occurred_at.isoformat(timespec='seconds')}{of}: {last.payload.get('error')}",
            "mend it; what it was not told of is in the ledger and the results all the same",
        )
