"""Which configuration the last refresh used: an event in the store, by which a watcher knows what it has missed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from profilemesh_airflow.core.events import CONFIG_REFRESHED
from profilemesh_airflow.exceptions import ProfileMeshError
from profilemesh_airflow.usecases.edits.files import digest_in_force

if TYPE_CHECKING:
    from profilemesh_airflow.usecases.workspace import Workspace

log = logging.getLogger(__name__)


def remember_refreshed(workspace: Workspace) -> None:
    """Note that every table was looked at with this configuration.

    The refresh is done, whatever becomes of this: without it, a watcher that is started anew asks for one more.
    """
    try:
        digest = digest_in_force(workspace.config)
        if last_refreshed(workspace) != digest:
            events = workspace.store.events(workspace.identity)
            workspace.retry.call(
                "noting the configuration", lambda: events.add(CONFIG_REFRESHED, None, {"digest": digest})
            )
    except ProfileMeshError as error:
        log.warning("it could not be noted which configuration was refreshed: %s", error)


def last_refreshed(workspace: Workspace) -> str | None:
    """The digest of the configuration that the last refresh used; none where there was none. Only reads.

    :raises StoreError: the store cannot be read.
    """
    log_of_events = workspace.retry.call(
        "reading the event log", lambda: workspace.store.peek_events(workspace.identity)
    )
    if log_of_events is None:
        return None
    newest = workspace.retry.call("reading the event log", lambda: log_of_events.newest(CONFIG_REFRESHED))
    return None if newest is None else str(newest.payload["digest"])
