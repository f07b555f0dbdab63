"""Assets that Airflow has and does not use: losers of a conflict over a name or a URI, and those of former tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.uri import table_uri
from profilemesh_airflow.usecases.doctor.findings import ASSETS, ERROR, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

#: So many assets of former tables are no trouble: they stay in Airflow's database for ever, and cost little.
FEW = 1000


def unused_assets(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The assets of planned tables that are inactive though a DAG is scheduled on them, and too many of former tables.

    The inactive ones are listed only where a count says that there are some.
    """
    api, prefix = site.airflow, site.prefix
    if api.count_assets(prefix, only_active=False) == api.count_assets(prefix):
        return
    active = {asset["id"] for asset in site.assets}
    inactive = [asset for asset in api.assets(prefix, only_active=False) if asset["id"] not in active]
    planned = {table_uri(site.workspace.identity, "change", ref): ref for ref in site.all_refs}
    wanted = [asset for asset in inactive if asset["uri"] in planned and _has_dag(asset, site)]
    rivals = _rivals(site) if wanted else {}
    for asset in wanted:
        what = f"{asset['uri']} is inactive, so that its DAG never runs{rivals.get(asset['uri'], '')}"
        remedy = (
            "give the other asset another name and URI; then Airflow takes this one, as soon as it parses the DAG file"
            if asset["uri"] in rivals
            else "see whether the DAG file that has it was parsed since, and what the dag-processor logs of it"
        )
        yield Finding(ASSETS, ERROR, planned[asset["uri"]].key, what, remedy)
    former = len([asset for asset in inactive if asset["uri"] not in planned])
    if former > max(FEW, len(planned)):
        yield Finding(
            ASSETS,
            WARNING,
            prefix,
            f"{former} assets are of tables that the plan no longer has, and slow the scheduler down",
            "keep the set of tables stable, with an environment and a source of their own for tables that come and go; "
            "delete the rows of the table `asset` that are not in `asset_active`, when Airflow is down",
        )


def _has_dag(asset: dict[str, Any], site: Site) -> bool:
    return any(dag["dag_id"] in site.consumers for dag in asset["scheduled_dags"])


def _rivals(site: Site) -> dict[str, str]:
    """By URI of ours, the active asset that took its name or its URI away."""
    same_uri = {asset["uri"]: asset for asset in site.assets if asset["name"] != asset["uri"]}
    same_name = {asset["name"]: asset for asset in site.airflow.assets_named(site.prefix)}
    named = {name: asset for name, asset in same_name.items() if name != asset["uri"]}
    return {
        **{uri: f": asset {asset['name']!r} has the same URI" for uri, asset in same_uri.items()},
        **{name: f": the asset of URI {asset['uri']!r} has the same name" for name, asset in named.items()},
    }
