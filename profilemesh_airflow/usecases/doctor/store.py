"""The results store: whether it is there, and at this release's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import DriverMissingError, StoreError
from profilemesh_airflow.usecases.doctor.findings import ERROR, STORE, WARNING, Finding

if TYPE_CHECKING:
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace


def look_at_store(workspace: Workspace) -> tuple[LedgerView | None, list[Finding]]:
    """The ledger, if it can be read, and what is wrong with the store. Nothing is written."""
    place = workspace.storage_settings.place
    try:
        revision, _ = workspace.store.version()
        view = workspace.store.peek(workspace.identity)
    except (StoreError, DriverMissingError) as error:
        return None, [Finding.of(STORE, place, error)]
    return view, [] if revision else [_unmigrated(place, workspace.config.model.storage.create_tables)]


def _unmigrated(place: str, create_tables: bool) -> Finding:
    what = "it has no tables: nothing was refreshed or profiled with it yet"
    if not create_tables:
        return Finding(STORE, ERROR, place, what, "run `profilemesh-airflow store upgrade`, which makes them")
    remedy = "run a refresh, which makes them; where there was one, storage.connection is not what it was then"
    return Finding(STORE, WARNING, place, what, remedy)
