"""The button of a task that leads to its table's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from profilemesh_airflow.compat.airflow import BaseOperatorLink, XCom
from profilemesh_airflow.compat.web import asset_page
from profilemesh_airflow.core.uri import table_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.workspace import Workspace


class ProfileMeshResultsLink(BaseOperatorLink):
    """Leads to the results of the table that a task profiled, at the address which the task left in XCom."""

    name = "Profile results"
    key = "profilemesh_results_url"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address, or nothing before the task has begun."""
        return XCom.get_value(key=self.key, ti_key=ti_key) or ""


RESULTS_LINK = ProfileMeshResultsLink()


def push_results_url(context: Mapping[str, Any], workspace: Workspace, ref: TableRef) -> None:
    """Leave the address for the button, before the work: the results of the runs before are there in any case."""
    address = results_url(workspace, ref)
    if address is not None:
        context["ti"].xcom_push(key=ProfileMeshResultsLink.key, value=address)


def results_url(workspace: Workspace, ref: TableRef) -> str | None:
    """Where the results of a table are shown.

    That is ``airflow.results_url`` of the configuration, or else Airflow's own page of the table's ``profile`` asset,
    whose events tell of each profile; none on an Airflow that has no assets.
    """
    address = workspace.config.model.airflow.results_url
    if address is None:
        return asset_page(table_uri(workspace.identity, "profile", ref))
    names = {
        "environment": workspace.identity.environment,
        "source": workspace.identity.source,
        "database": ref.database,
        "schema": ref.schema,
        "table": ref.table,
        "table_key": ref.key,
    }
    return address.format_map({name: quote(value or "", safe="") for name, value in names.items()})
