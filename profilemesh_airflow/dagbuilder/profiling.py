"""The profiling DAGs: one a table, scheduled on the table's asset."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import get_parsing_context
from profilemesh_airflow.compat.assets import asset_of_others, on_any, outlets
from profilemesh_airflow.compat.capabilities import ANY_ASSET
from profilemesh_airflow.compat.dags import make_dag
from profilemesh_airflow.core.collector import many_objects
from profilemesh_airflow.core.uri import PROFILING_DAGS, profiling_dag_id
from profilemesh_airflow.dagbuilder.common import ParsedConfig, dag_arguments, parse_config, require_datasets
from profilemesh_airflow.operators.drift import ProfileMeshDriftOperator
from profilemesh_airflow.operators.profile import ProfileMeshTableOperator
from profilemesh_airflow.usecases.upstream import upstream_uris

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from profilemesh_airflow.compat.airflow import DAG
    from profilemesh_airflow.core.table import TableRef

log = logging.getLogger(__name__)

_DOC = """\
Profiles one table when the plan refresh found it changed. The asset event that starts it is only a doorbell: the task
reads the change, with its reasons, from the ledger, and is skipped when there is none. Where the DAG is scheduled on
other assets, too, their events have it look at the table itself.

**Trigger it by hand** with the configuration `{"force": true}` to profile the table even if nothing changed.
"""

_DAG_ARGUMENTS = {
    "doc_md": _DOC,
    "max_active_tasks": 1,
    # A table that keeps failing is parked by the ledger. A DAG that Airflow pauses for it would hear no doorbell.
    "max_consecutive_failed_dag_runs": 0,
}


def build_profiling_dags(
    config_path: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str] | None = None,
    dag_id_prefix: str = PROFILING_DAGS,
    tags: Iterable[str] = (),
    default_args: dict[str, Any] | None = None,
    **dag_kwargs: Any,
) -> dict[str, DAG]:
    """Build one DAG a table, to be put into the DAG file's ``globals()``.

    Only the configuration file is read here, and, where it selects tables by pattern, its lock; no database, connection
    or variable. Where Airflow parses the file to run one DAG's task, only that DAG is built.

    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param lock: the file that ``profilemesh-airflow plan --lock`` wrote; by default the one beside the configuration.
    :param dag_id_prefix: what the ids start with; environment, source and table key follow.
    :param tags: in addition to ``profilemesh`` and the environment.
    :param default_args: of the DAGs' tasks.
    :param dag_kwargs: any other argument of :class:`DAG`.
    :returns: the DAGs by id.
    :raises UnsupportedAirflowError: the installed Airflow has no Datasets.
    :raises ConfigError: the configuration is missing or wrong, or its lock is missing or stale.
    :raises NotBuiltError: it asks for a topology that this release does not have.
    """
    require_datasets("build_profiling_dags")
    config = parse_config(config_path, lock)
    wanted = get_parsing_context().dag_id
    refs = {profiling_dag_id(dag_id_prefix, config.identity, ref): ref for ref in config.refs}
    arguments = dag_arguments(config, tags, **{**_DAG_ARGUMENTS, **dag_kwargs})
    upstream = upstream_uris(config.model, refs.values())
    if upstream and not ANY_ASSET.available:
        log.warning(
            "%s: listen_to_upstream and triggered_by need Airflow %s or later; here, the next refresh finds what loads",
            config.path,
            ANY_ASSET.since,
        )
    with many_objects():
        return {
            dag_id: _build(dag_id, config, ref, upstream.get(ref, ()), default_args, arguments)
            for dag_id, ref in refs.items()
            if wanted in (None, dag_id)
        }


def _build(
    dag_id: str,
    config: ParsedConfig,
    ref: TableRef,
    upstream: Sequence[str],
    default_args: dict[str, Any] | None,
    arguments: dict[str, Any],
) -> DAG:
    table: dict[str, Any] = {"table": ref.table, "schema": ref.schema or "", "database": ref.database or ""}
    shown = f"Profile {ref.display} ({config.identity.environment}, {config.identity.source})"
    with make_dag(
        dag_id,
        schedule=on_any(table_asset(config.identity, "change", ref), *map(asset_of_others, upstream)),
        default_args=default_args or {},
        **{"dag_display_name": shown, **arguments},
    ) as dag:
        profile = ProfileMeshTableOperator(
            task_id="profile",
            config_path=config.path,
            changed_only=True,
            listen_to_upstream=bool(upstream),
            outlets=outlets(table_asset(config.identity, "profile", ref)),
            **table,
        )
        drift = ProfileMeshDriftOperator(
            task_id="drift",
            config_path=config.path,
            outlets=outlets(table_asset(config.identity, "drift", ref)),
            **table,
        )
        profile >> drift
    return dag
