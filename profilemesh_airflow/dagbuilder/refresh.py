"""The plan refresh DAG: detect -> record -> ring."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import changes_alias, plan_asset, table_asset
from profilemesh_airflow.compat.airflow import Param, TaskGroup, XComArg
from profilemesh_airflow.compat.assets import outlets
from profilemesh_airflow.compat.capabilities import ALIAS
from profilemesh_airflow.compat.dags import make_dag
from profilemesh_airflow.core.uri import table_task_id
from profilemesh_airflow.dagbuilder.common import (
    FROM_CONFIG,
    ParsedConfig,
    dag_arguments,
    parse_config,
    require_datasets,
)
from profilemesh_airflow.dagbuilder.watching import refresh_schedule
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.operators.doorbell import ProfileMeshDoorbellOperator
from profilemesh_airflow.operators.plan_summary import ProfileMeshPlanSummaryOperator
from profilemesh_airflow.operators.refresh import (
    SUMMARY_KEY,
    ProfileMeshDetectOperator,
    ProfileMeshLineageOperator,
    ProfileMeshRingOperator,
)
from profilemesh_airflow.usecases.ask import DETECT_TASK, REFRESH_DAG
from profilemesh_airflow.usecases.settings import selection_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from profilemesh_airflow.compat.airflow import DAG
    from profilemesh_airflow.core.table import TableRef

log = logging.getLogger(__name__)

#: The trigger form offers the tables by name up to this many; more would only slow the page down.
OFFERED_TABLES = 1000

_DOC = """\
Compares the ProfileMesh plan with what was last profiled, records every change in the ledger, and publishes one asset
event for every table that changed. Each table's own DAG is scheduled on its asset.

**Trigger it by hand** to look now. `tables` limits it to some tables, `force` profiles them even if nothing changed,
`reason` says why, and `dry_run` writes the difference to the log of `detect_and_record` and changes nothing.
"""


def build_plan_refresh_dag(
    config_path: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str] | None = None,
    dag_id: str = REFRESH_DAG,
    schedule: Any = FROM_CONFIG,
    tags: Iterable[str] = (),
    default_args: dict[str, Any] | None = None,
    **dag_kwargs: Any,
) -> DAG:
    """Build the DAG that finds changed tables and rings for them.

    Only the configuration file is read here, and, where it selects tables by pattern, its lock; no database, connection
    or variable. Without a good lock the DAG works all the same, and only shows fewer tables before they change.

    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param lock: the file that ``profilemesh-airflow plan --lock`` wrote; by default the one beside the configuration.
    :param dag_id: give another one for a second configuration in the same Airflow.
    :param schedule: any Airflow schedule; by default ``airflow.refresh_schedule`` of the configuration and, from
        Airflow 3.0 on, an edit of its file, unless ``airflow.watch`` says otherwise.
    :param tags: in addition to ``profilemesh`` and the environment.
    :param default_args: of the DAG's tasks.
    :param dag_kwargs: any other argument of :class:`DAG`.
    :raises UnsupportedAirflowError: the installed Airflow has no Datasets.
    :raises ConfigError: the configuration is missing or wrong.
    """
    require_datasets("build_plan_refresh_dag")
    config = parse_config(config_path, lock)
    refs = _shown_tables(config)
    if schedule is FROM_CONFIG:
        schedule = refresh_schedule(config)
    arguments = dag_arguments(config, tags, **{"doc_md": _DOC, "params": _params(refs), **dag_kwargs})
    with make_dag(dag_id, schedule=schedule, default_args=default_args or {}, **arguments) as dag:
        (_ring_by_alias if ALIAS.available else _ring_one_by_one)(config, refs)
    return dag


def _tell_of_plan(config: ParsedConfig, detect: ProfileMeshDetectOperator) -> None:
    ProfileMeshPlanSummaryOperator(
        task_id="plan_changed",
        config_path=config.path,
        summary=XComArg(detect, key=SUMMARY_KEY),
        outlets=outlets(plan_asset(config.identity)),
    )


def _ring_by_alias(config: ParsedConfig, refs: Sequence[TableRef]) -> None:
    detect = ProfileMeshDetectOperator(task_id=DETECT_TASK, config_path=config.path)
    ProfileMeshRingOperator.partial(
        task_id="ring", config_path=config.path, outlets=outlets(changes_alias(config.identity))
    ).expand(change_ids=detect.output)
    _tell_of_plan(config, detect)
    ProfileMeshLineageOperator(
        task_id="declare_lineage",
        outlets=outlets(*(table_asset(config.identity, "change", ref) for ref in refs)),
    )


def _ring_one_by_one(config: ParsedConfig, refs: Sequence[TableRef]) -> None:
    """Before 2.10 a task publishes on all its outlets or on none: one task a table, skipped when there is no news."""
    ring_tasks = {ref.key: table_task_id("ring", ref) for ref in refs}
    detect = ProfileMeshDetectOperator(task_id=DETECT_TASK, config_path=config.path, ring_tasks=ring_tasks)
    _tell_of_plan(config, detect)
    with TaskGroup("ring", prefix_group_id=False):
        for ref in refs:
            ProfileMeshDoorbellOperator(
                task_id=ring_tasks[ref.key],
                config_path=config.path,
                change_ids=detect.output,
                table=ref.table,
                schema=ref.schema or "",
                database=ref.database or "",
                outlets=outlets(table_asset(config.identity, "change", ref)),
            )


def _shown_tables(config: ParsedConfig) -> tuple[TableRef, ...]:
    """The tables that are known while the file is parsed: a lock that is no good must not stop the refresh."""
    try:
        return config.refs
    except ConfigError as error:
        log.warning("%s", error)
        return tuple(selection_of(config.model).listed)


def _params(refs: Sequence[TableRef]) -> dict[str, Param]:
    keys = [ref.key for ref in refs]
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
