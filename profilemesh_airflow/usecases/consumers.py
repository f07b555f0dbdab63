"""Who hears the doorbell of one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profilemesh_airflow.airflow_api import AirflowApi


def hearers(api: AirflowApi, uri: str) -> dict[str, bool | None]:
    """The DAGs that are scheduled on an asset: whether each is paused, none for one that is gone.

    :raises AirflowApiError: Airflow does not answer, or may not tell.
    """
    # The server finds the text anywhere in a URI: the pages may hold the assets of other tables, too.
    # One of the same URI and another name is somebody else's, and keeps ours from being heard.
    found = [asset for asset in api.assets(uri) if asset["uri"] == asset["name"] == uri]
    scheduled = [dag["dag_id"] for asset in found for dag in asset["scheduled_dags"]]
    there = api.dags(asset_dependency=uri) if scheduled else {}
    return {dag_id: bool(there[dag_id]["is_paused"]) if dag_id in there else None for dag_id in scheduled}
