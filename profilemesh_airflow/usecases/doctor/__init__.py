"""The doctor: what keeps changes from being profiled, and what to do about it. It looks, and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.usecases.doctor.checks import ALL
from profilemesh_airflow.usecases.doctor.findings import AIRFLOW, CHECKS, ERROR, WARNING, Diagnosis, Finding
from profilemesh_airflow.usecases.doctor.site import LocalSettings, Site

if TYPE_CHECKING:
    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.usecases.workspace import Workspace

__all__ = ["CHECKS", "ERROR", "WARNING", "Diagnosis", "Finding", "examine"]


def examine(
    workspace: Workspace, api: AirflowApi | None = None, local_settings: LocalSettings = lambda: None
) -> Diagnosis:
    """Look at the configuration, its databases and its changes and, where it is known, at the Airflow around them.

    :param api: the Airflow that refreshes and profiles this configuration.
    :param local_settings: looks for an Airflow on this machine, whose settings count where that one does not tell them.
    """
    listed = tuple(workspace.tables.selection.listed)
    site, diagnosis = Site(workspace, api, local_settings, refs=listed), Diagnosis()
    if api is None:
        site.closed[AIRFLOW] = "not asked: give --airflow"
    for check in ALL:
        check.make(site, diagnosis)
    return diagnosis
