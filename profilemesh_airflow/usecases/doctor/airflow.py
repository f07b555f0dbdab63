"""The Airflow around it: who refreshes, who answers a doorbell, and what cannot be imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profilemesh_airflow.airflow_api import API
from profilemesh_airflow.config.base import without_login
from profilemesh_airflow.core.uri import table_uri, uri_prefix
from profilemesh_airflow.usecases.doctor.findings import (
    AIRFLOW,
    CONSUMERS,
    ERROR,
    IMPORTS,
    REFRESH,
    WARNING,
    Finding,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView

#: The parts without which nothing is refreshed or profiled.
PARTS = ("metadatabase", "scheduler", "dag_processor")

_GONE = "see whether its file is still in the DAG folder and can be imported"
_DEPLOY = "deploy a DAG file that calls build_profiling_dags with this configuration"


@dataclass(frozen=True)
class Bells:
    """The change assets of a configuration, as Airflow has them.

    :param scheduled: by URI, the ids of the DAGs that are scheduled on it; some may be gone.
    :param producers: ids of the DAGs that say that they publish on one of them.
    """

    scheduled: Mapping[str, Collection[str]]
    producers: Collection[str]


def find_bells(api: AirflowApi, identity: Identity) -> Bells:
    """Ask Airflow for the change assets.

    :raises AirflowApiError: it does not answer, or may not tell.
    """
    assets = api.assets(uri_prefix(identity, "change"))
    return Bells(
        {asset["uri"]: [dag["dag_id"] for dag in asset["scheduled_dags"]] for asset in assets},
        {task["dag_id"] for asset in assets for task in asset["producing_tasks"]},
    )


def unhealthy_parts(api: AirflowApi) -> Iterator[Finding]:
    """The parts of Airflow that do not work.

    :raises AirflowApiError: Airflow cannot be asked, or is none of version 3.
    """
    api.version()
    parts = api.parts()
    for name in PARTS:
        status = parts.get(name, {}).get("status")
        if status != "healthy":
            what = f"the {name} is {status or 'not running'}"
            yield Finding(AIRFLOW, ERROR, api.url, what, f"start the {name} again, and look at its log")


def refresh_dags(api: AirflowApi, identity: Identity, bells: Bells) -> Iterator[Finding]:
    """Whether some DAG refreshes this configuration, and is not paused.

    A DAG is known by what it publishes: it declares the change assets as outlets, or it rang last.
    """
    prefix = uri_prefix(identity, "change")
    known = sorted(bells.producers) or list(_who_rang(api, prefix))
    found = {dag_id: api.dags(dag_id_pattern=dag_id).get(dag_id) for dag_id in known}
    active = [dag for dag in found.values() if dag]
    if not known:
        remedy = (
            "deploy a DAG file that calls build_plan_refresh_dag with this configuration; a refresh DAG of another "
            "make is seen once it declares the change assets as outlets, or has rung"
        )
        yield Finding(REFRESH, ERROR, prefix, "no DAG publishes these assets: no change is found or rung for", remedy)
    elif not active:
        yield Finding(REFRESH, ERROR, ", ".join(known), "it is gone: no change is found or rung for", _GONE)
    elif all(dag["is_paused"] for dag in active):
        ids = [dag["dag_id"] for dag in active]
        yield Finding(REFRESH, ERROR, ", ".join(ids), "it is paused: no change is found or rung for", _unpause(ids))


def deaf_tables(
    api: AirflowApi, identity: Identity, bells: Bells, refs: Sequence[TableRef], view: LedgerView
) -> list[Finding]:
    """The tables whose doorbell nobody hears: no DAG is scheduled on it, or only a paused one while a change waits."""
    prefix = uri_prefix(identity, "change")
    paused = {dag_id: bool(dag["is_paused"]) for dag_id, dag in api.dags(asset_dependency=prefix).items()}
    deaf: list[Finding] = []
    unheard: list[Finding] = []
    for ref in refs:
        uri, entry = table_uri(identity, "change", ref), view.entries.get(ref.key)
        waits = entry is not None and entry.waiting(view.now)
        scheduled = bells.scheduled.get(uri, ())
        there = [dag_id for dag_id in scheduled if dag_id in paused]
        if not there:
            unheard.append(_unheard(ref, uri, scheduled, waits))
        elif waits and all(paused[dag_id] for dag_id in there):
            what = f"a change waits, and {', '.join(there)} is paused"
            deaf.append(Finding(CONSUMERS, ERROR, ref.key, what, f"{_unpause(there)}; the next refresh rings again"))
    return [_nobody_hears(prefix, unheard)] if len(unheard) == len(refs) > 1 else [*deaf, *unheard]


def broken_files(api: AirflowApi, something_is_missing: bool) -> Iterator[Finding]:
    """The DAG files that cannot be imported: those that name this package, and any where a DAG is missed."""
    for error in api.import_errors():
        trace = error["stack_trace"].strip()
        ours = "profilemesh" in f"{error['filename']} {trace}".lower()
        if ours or something_is_missing:
            reason = without_login(trace.rpartition("\n")[2])
            severity = ERROR if ours else WARNING
            yield Finding(
                IMPORTS,
                severity,
                error["filename"],
                f"it cannot be imported: {reason}",
                "see its whole trace in the web UI, and mend it",
            )


def _who_rang(api: AirflowApi, prefix: str) -> Iterator[str]:
    params = {"name_pattern": prefix, "order_by": "-timestamp", "limit": 1}
    for event in api.call("GET", f"{API}/assets/events", params=params)["asset_events"]:
        if (event["uri"] or "").startswith(prefix) and event["source_dag_id"]:
            yield event["source_dag_id"]


def _unheard(ref: TableRef, uri: str, scheduled: Collection[str], waits: bool) -> Finding:
    waiting = "a change waits, and " if waits else ""
    severity = ERROR if waits else WARNING
    if scheduled:
        return Finding(CONSUMERS, severity, ref.key, f"{waiting}its DAG {', '.join(scheduled)} is gone", _GONE)
    return Finding(CONSUMERS, severity, ref.key, f"{waiting}no DAG is scheduled on {uri}", _DEPLOY)


def _nobody_hears(prefix: str, unheard: Sequence[Finding]) -> Finding:
    """All of them as one finding, where they are all tables."""
    waiting = sum(finding.severity == ERROR for finding in unheard)
    waits = f"; a change waits for {waiting} of them" if waiting else ""
    if all(finding.remedy == _GONE for finding in unheard):
        return Finding(CONSUMERS, ERROR, prefix, f"the DAGs of all {len(unheard)} tables are gone{waits}", _GONE)
    what = f"no DAG is scheduled on the asset of any of {len(unheard)} tables{waits}"
    return Finding(CONSUMERS, ERROR, prefix, what, _DEPLOY)


def _unpause(dag_ids: Iterable[str]) -> str:
    return "run " + ", ".join(f"`airflow dags unpause {dag_id}`" for dag_id in dag_ids)
