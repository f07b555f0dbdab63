"""The results store: whether it is there, at this release's schema, and can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.usecases.doctor.findings import ERROR, STORE, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site


def look_at_store(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """What is wrong with the store. Nothing is written: whether it may be is tried with statements that meet no row.

    :raises StoreError: it cannot be read.
    :raises DriverMissingError: its driver is not installed.
    """
    workspace = site.workspace
    place = workspace.storage_settings.place
    revision, _ = workspace.store.version()
    site.view = workspace.store.peek(workspace.identity)
    site.refs = workspace.refs
    if not revision:
        yield _unmigrated(place, workspace.config.model.storage.create_tables)
        return
    try:
        workspace.store.check_writable()
    except StoreError as error:
        what = f"it can be read, and not written: no refresh or profile is recorded: {error}"
        rights = "SELECT, INSERT, UPDATE and DELETE on the tables, and USAGE on their sequences"
        remedy = f"grant its user {rights}, and see that it is no standby"
        yield Finding(STORE, ERROR, place, what, remedy)


def _unmigrated(place: str, create_tables: bool) -> Finding:
    what = "it has no tables: nothing was refreshed or profiled with it yet"
    if not create_tables:
        return Finding(STORE, ERROR, place, what, "run `profilemesh-airflow store upgrade`, which makes them")
    remedy = "run a refresh, which makes them; where there was one, storage.connection is not what it was then"
    return Finding(STORE, WARNING, place, what, remedy)
