"""Whether everything that a configuration names can be reached. Looks, and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.usecases.workspace import Workspace


def reach(workspace: Workspace) -> list[str]:
    """Look into the profiled database and the store, and say what is there.

    :raises ProfileMeshError: one of them cannot be reached.
    """
    refs = workspace.refs
    if refs:
        known = f"{len(workspace.warehouse.catalog(refs))} of {len(refs)} known tables are there"
    else:
        known = f"{len(workspace.warehouse.tables())} tables and views"
    revision, _ = workspace.store.version()
    store = f"at schema {revision}" if revision else "not made yet"
    return [
        f"{workspace.source_settings.place}: {known}",
        f"store, {workspace.storage_settings.place}: {store}",
    ]


def reach_airflow(api: AirflowApi) -> str:
    """Log in to an Airflow, and say which it is.

    :raises AirflowApiError: nobody answers there, it is no Airflow 3, or the login is not valid.
    """
    version = api.version()
    api.call("GET", "/api/v2/dags", params={"limit": 1})
    return f"Airflow {version} at {api.url}"
