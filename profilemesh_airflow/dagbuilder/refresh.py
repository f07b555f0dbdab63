"""The plan refresh DAG: detect -> record -> ring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import changes_alias, table_asset
from profilemesh_airflow.compat.airflow import DAG, Param
from profilemesh_airflow.dagbuilder.common import ParsedConfig, dag_arguments, parse_config
from profilemesh_airflow.operators.refresh import (
    ProfileMeshDetectOperator,
    ProfileMeshLineageOperator,
    ProfileMeshRingOperator,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

#: The trigger form offers the tables by name up to this many; more would only slow the page down.
OFFERED_TABLES = 1000

_FROM_CONFIG = object()

_DOC = """\
Compares the ProfileMesh plan with what was last profiled, records every change in the ledger, and publishes one asset
event for every table that changed. Each table's own DAG is scheduled on its asset.

**Trigger it by hand** to look now. `tables` limits it to some tables, `force` profiles them even if nothing changed,
`reason` says why, and `dry_run` writes the difference to the log of `detect_and_record` and changes nothing.
"""


def build_plan_refresh_dag(
    config_path: str | os.PathLike[str],
    *,
    dag_id: str = "profilemesh_plan_refresh",
    schedule: Any = _FROM_CONFIG,
    tags: Iterable[str] = (),
    default_args: dict[str, Any] | None = None,
    **dag_kwargs: Any,
) -> DAG:
    """Build the DAG that finds changed tables and rings for them.

    Only the configuration file is read here; no database, connection or variable.

    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param dag_id: give another one for a second configuration in the same Airflow.
    :param schedule: any Airflow schedule; by default ``airflow.refresh_schedule`` of the configuration.
    :param tags: in addition to ``profilemesh`` and the environment.
    :param default_args: of the DAG's tasks.
    :param dag_kwargs: any other argument of :class:`DAG`.
    :raises ConfigError: the configuration is missing or wrong.
    """
    config = parse_config(config_path)
    if schedule is _FROM_CONFIG:
        schedule = config.model.airflow.refresh_schedule
    arguments = dag_arguments(config, tags, **{"doc_md": _DOC, "params": _params(config), **dag_kwargs})
    with DAG(dag_id, schedule=schedule, default_args=default_args or {}, **arguments) as dag:
        detect = ProfileMeshDetectOperator(task_id="detect_and_record", config_path=config.path)
        ProfileMeshRingOperator.partial(
            task_id="ring", config_path=config.path, outlets=[changes_alias(config.identity)]
        ).expand(change_ids=detect.output)
        ProfileMeshLineageOperator(
            task_id="declare_lineage", outlets=[table_asset(config.identity, "change", ref) for ref in config.refs]
        )
    return dag


def _params(config: ParsedConfig) -> dict[str, Param]:
    keys = [ref.key for ref in config.refs]
    offered: dict[str, Any] = {"examples": keys} if len(keys) <= OFFERED_TABLES else {}
    return {
        "tables": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Tables",
            description="Keys of the tables to look at; empty for all.",
            **offered,
        ),
        "force": Param(False, type="boolean", title="Force", description="Profile them even if nothing changed."),
        "reason": Param("", type="string", title="Reason", description="Why; kept in the ledger's history."),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Log the difference, change nothing."),
    }
