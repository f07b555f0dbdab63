"""The doctor: what keeps changes from being profiled, and what to do about it. It looks, and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import AirflowApiError
from profilemesh_airflow.usecases.doctor.airflow import (
    broken_files,
    deaf_tables,
    find_bells,
    refresh_dags,
    unhealthy_parts,
)
from profilemesh_airflow.usecases.doctor.changes import expired_leases, overdue, parked
from profilemesh_airflow.usecases.doctor.findings import (
    AIRFLOW,
    CHECKS,
    CONSUMERS,
    ERROR,
    IMPORTS,
    LEASES,
    OVERDUE,
    PARKED,
    REFRESH,
    STORE,
    WARNING,
    Diagnosis,
    Finding,
)
from profilemesh_airflow.usecases.doctor.store import look_at_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace

__all__ = ["CHECKS", "ERROR", "WARNING", "Diagnosis", "Finding", "examine"]


def examine(workspace: Workspace, api: AirflowApi | None = None) -> Diagnosis:
    """Look at the store and its changes and, where it is known, at the Airflow around them.

    :param api: the Airflow that refreshes and profiles this configuration.
    """
    diagnosis = Diagnosis()
    view, found = look_at_store(workspace)
    diagnosis.add(STORE, found)
    if view is None:
        diagnosis.leave_out((OVERDUE, PARKED, LEASES), "the store cannot be read")
    else:
        diagnosis.add(OVERDUE, overdue(view, set(workspace.refs), workspace.policy))
        diagnosis.add(PARKED, parked(view))
        diagnosis.add(LEASES, expired_leases(view))
    if api is None:
        diagnosis.leave_out((AIRFLOW, REFRESH, CONSUMERS, IMPORTS), "not asked: give --airflow")
    else:
        _examine_airflow(diagnosis, workspace, view, api)
    return diagnosis


def _examine_airflow(diagnosis: Diagnosis, workspace: Workspace, view: LedgerView | None, api: AirflowApi) -> None:
    unhealthy: list[Finding] = []
    try:
        unhealthy += unhealthy_parts(api)
        bells = find_bells(api, workspace.identity)
    except AirflowApiError as error:
        diagnosis.add(AIRFLOW, [*unhealthy, Finding.of(AIRFLOW, api.url, error)])
        diagnosis.leave_out((REFRESH, CONSUMERS, IMPORTS), "Airflow cannot be asked")
        return
    diagnosis.add(AIRFLOW, unhealthy)
    _ask(diagnosis, REFRESH, api, lambda: refresh_dags(api, workspace.identity, bells))
    if view is None:
        diagnosis.leave_out((CONSUMERS,), "the store cannot be read")
    else:
        _ask(diagnosis, CONSUMERS, api, lambda: deaf_tables(api, workspace.identity, bells, workspace.refs, view))
    missed = any(finding.check in (REFRESH, CONSUMERS) for finding in diagnosis.findings)
    _ask(diagnosis, IMPORTS, api, lambda: broken_files(api, missed))


def _ask(diagnosis: Diagnosis, check: str, api: AirflowApi, look: Callable[[], Iterable[Finding]]) -> None:
    try:
        diagnosis.add(check, list(look()))
    except AirflowApiError as error:
        diagnosis.findings.append(Finding.of(check, api.url, error))
        diagnosis.leave_out((check,), "Airflow cannot be asked for it")
