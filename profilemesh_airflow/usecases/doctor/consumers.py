"""Who hears the doorbells: tables without a DAG, paused ones, and DAGs of tables that left the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.uri import table_uri
from profilemesh_airflow.usecases.doctor.airflow import GONE, unpause
from profilemesh_airflow.usecases.doctor.findings import CONSUMERS, ERROR, STALE, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

_DEPLOY = "deploy a DAG file that calls build_profiling_dags with this configuration"


def deaf_tables(site: Site, diagnosis: Diagnosis) -> list[Finding]:
    """The tables whose doorbell nobody hears: no DAG is scheduled on it, or only a paused one while a change waits."""
    view, paused = site.ledger, site.consumers
    deaf: list[Finding] = []
    unheard: list[Finding] = []
    for ref in site.refs:
        uri, entry = table_uri(site.workspace.identity, "change", ref), view.entries.get(ref.key)
        waits = entry is not None and entry.waiting(view.now)
        scheduled = site.scheduled.get(uri, ())
        there = [dag_id for dag_id in scheduled if dag_id in paused]
        if not there:
            unheard.append(_unheard(ref, uri, scheduled, waits))
        elif waits and all(paused[dag_id] for dag_id in there):
            what = f"a change waits, and {', '.join(there)} is paused"
            deaf.append(Finding(CONSUMERS, ERROR, ref.key, what, f"{unpause(there)}; the next refresh rings again"))
    return [_nobody_hears(site.prefix, unheard)] if len(unheard) == len(site.refs) > 1 else [*deaf, *unheard]


def stale_dags(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The DAGs that wait for the doorbell of a table which is not in the plan: nobody ever rings for it."""
    planned = {table_uri(site.workspace.identity, "change", ref) for ref in site.all_refs}
    for uri, dag_ids in site.scheduled.items():
        there = [dag_id for dag_id in dag_ids if dag_id in site.consumers]
        if there and uri not in planned:
            what = f"it waits for {uri}, and the plan has no such table"
            remedy = (
                "see whether its DAG file reads this configuration, and whether its lock is up to date "
                "(`profilemesh-airflow plan --lock --check`); or take the table into the configuration again"
            )
            yield Finding(STALE, WARNING, ", ".join(there), what, remedy)


def _unheard(ref: TableRef, uri: str, scheduled: Collection[str], waits: bool) -> Finding:
    waiting = "a change waits, and " if waits else ""
    severity = ERROR if waits else WARNING
    if scheduled:
        return Finding(CONSUMERS, severity, ref.key, f"{waiting}its DAG {', '.join(scheduled)} is gone", GONE)
    return Finding(CONSUMERS, severity, ref.key, f"{waiting}no DAG is scheduled on {uri}", _DEPLOY)


def _nobody_hears(prefix: str, unheard: Sequence[Finding]) -> Finding:
    """All of them as one finding, where they are all tables."""
    waiting = sum(finding.severity == ERROR for finding in unheard)
    waits = f"; a change waits for {waiting} of them" if waiting else ""
    if all(finding.remedy == GONE for finding in unheard):
        return Finding(CONSUMERS, ERROR, prefix, f"the DAGs of all {len(unheard)} tables are gone{waits}", GONE)
    what = f"no DAG is scheduled on the asset of any of {len(unheard)} tables{waits}"
    return Finding(CONSUMERS, ERROR, prefix, what, _DEPLOY)
