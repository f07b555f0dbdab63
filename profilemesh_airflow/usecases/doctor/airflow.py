"""The Airflow around it: whether it works, who refreshes, and what cannot be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.airflow_api import API
from profilemesh_airflow.config.base import without_login
from profilemesh_airflow.usecases.doctor.findings import AIRFLOW, CONSUMERS, ERROR, IMPORTS, REFRESH, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

#: The parts without which nothing is refreshed or profiled.
PARTS = ("metadatabase", "scheduler", "dag_processor")
#: The part in which whatever waits for an event does so, and what does not happen without it.
WAITS, WITHOUT_IT = "triggerer", "an edit of the configuration starts no refresh, and tasks that wait go on waiting"

#: Majors of Airflow.
SUPPORTED = (2, 3)

#: What to do about a DAG that Airflow knew and has no longer.
GONE = "see whether its file is still in the DAG folder and can be imported"

_OURS = "profilemesh_airflow"


def unhealthy_parts(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The parts of Airflow that do not work; and whether it tells of its assets at all.

    :raises AirflowApiError: Airflow cannot be asked, or is none of version 3.
    """
    api = site.airflow
    version = api.version()
    if int(version.partition(".")[0]) not in SUPPORTED:
        what = f"it is an Airflow {version}, with which this release was never tried"
        yield Finding(AIRFLOW, WARNING, api.url, what, "see docs/support.md for the releases that it supports")
    parts = api.parts()
    for name in (*PARTS, WAITS):
        status = parts.get(name, {}).get("status")
        if status != "healthy":
            what, remedy = f"the {name} is {status or 'not running'}", f"start the {name} again, and look at its log"
            severity, what = (WARNING, f"{what}: {WITHOUT_IT}") if name == WAITS else (ERROR, what)
            yield Finding(AIRFLOW, severity, api.url, what, remedy)
    _ = site.assets


def refresh_dags(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """Whether some DAG refreshes this configuration, and is not paused.

    A DAG is known by what it publishes: it declares the change assets as outlets, or it rang last.
    """
    api, prefix = site.airflow, site.prefix
    known = sorted(site.producers) or list(_who_rang(api, prefix))
    found = {dag_id: api.dags(dag_id_pattern=dag_id).get(dag_id) for dag_id in known}
    active = [dag for dag in found.values() if dag]
    if not known:
        remedy = (
            "deploy a DAG file that calls build_plan_refresh_dag with this configuration; a refresh DAG of another "
            "make is seen once it declares the change assets as outlets, or has rung"
        )
        yield Finding(REFRESH, ERROR, prefix, "no DAG publishes these assets: no change is found or rung for", remedy)
    elif not active:
        yield Finding(REFRESH, ERROR, ", ".join(known), "it is gone: no change is found or rung for", GONE)
    elif all(dag["is_paused"] for dag in active):
        ids = [dag["dag_id"] for dag in active]
        yield Finding(REFRESH, ERROR, ", ".join(ids), "it is paused: no change is found or rung for", unpause(ids))


def broken_files(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The DAG files that cannot be imported: those that name this package, and any where a DAG is missed."""
    something_is_missing = any(finding.check in (REFRESH, CONSUMERS) for finding in diagnosis.findings)
    for error in site.airflow.import_errors():
        trace = error["stack_trace"].strip()
        ours = "profilemesh" in f"{error['filename']} {trace}".lower()
        if ours or something_is_missing:
            reason = without_login(trace.rpartition("\n")[2])
            severity = ERROR if ours else WARNING
            yield Finding(IMPORTS, severity, error["filename"], f"it cannot be imported: {reason}", _mend(reason))


def unpause(dag_ids: Iterable[str]) -> str:
    """What to do about paused DAGs."""
    return "run " + ", ".join(f"`airflow dags unpause {dag_id}`" for dag_id in dag_ids)


def _mend(reason: str) -> str:
    if f"No module named '{_OURS}'" in reason:
        return "install profilemesh-airflow where the dag-processor runs, and wherever tasks and triggers do"
    return "see its whole trace in the web UI, and mend it"


def _who_rang(api: AirflowApi, prefix: str) -> Iterator[str]:
    params = {"name_pattern": prefix, "order_by": "-timestamp", "limit": 1}
    for event in api.call("GET", f"{API}/assets/events", params=params)["asset_events"]:
        if (event["uri"] or "").startswith(prefix) and event["source_dag_id"]:
            yield event["source_dag_id"]
