"""Telling of a changed plan as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import plan_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.compat.assets import is_outlet, set_event_extra
from profilemesh_airflow.operators.base import ProfileMeshOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ProfileMeshPlanSummaryOperator(ProfileMeshOperator):
    """Publishes one event on the plan's own asset when a refresh found something changed; else it is skipped.

    Schedule a DAG on that asset to react to every change of the plan at once, and not to each table's.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param summary: what the refresh left in XCom, the event's extra (templated).
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "summary")

    def __init__(
        self, *, config_path: str | None = None, profilemesh_conn_id: str | None = None, summary: Any, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.summary = summary

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Publish, or skip."""
        if not self.summary:
            raise AirflowSkipException("the refresh rang for no table, and none left the plan")
        with self.open_workspace(context) as workspace:
            asset = plan_asset(workspace.identity)
        if is_outlet(asset, self.outlets):
            set_event_extra(context, asset, self.summary)
        return dict(self.summary)
