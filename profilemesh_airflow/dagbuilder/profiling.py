"""The profiling DAGs: one a table, scheduled on the table's asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import DAG, get_parsing_context
from profilemesh_airflow.core.uri import profiling_dag_id
from profilemesh_airflow.dagbuilder.common import ParsedConfig, dag_arguments, many_objects, parse_config
from profilemesh_airflow.operators.drift import ProfileMeshDriftOperator
from profilemesh_airflow.operators.profile import ProfileMeshTableOperator

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from profilemesh_airflow.core.table import TableRef

_DOC = """\
Profiles one table when the plan refresh found it changed. The asset event that starts it is only a doorbell: the task
reads the change, with its reasons, from the ledger, and is skipped when there is none.

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
    dag_id_prefix: str = "profilemesh_profile",
    tags: Iterable[str] = (),
    default_args: dict[str, Any] | None = None,
    **dag_kwargs: Any,
) -> dict[str, DAG]:
    """Build one DAG a table, to be put into the DAG file's ``globals()``.

    Only the configuration file is read here; no database, connection or variable. Where Airflow parses the file to run
    one DAG's task, only that DAG is built.

    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param dag_id_prefix: what the ids start with; environment, source and table key follow.
    :param tags: in addition to ``profilemesh`` and the environment.
    :param default_args: of the DAGs' tasks.
    :param dag_kwargs: any other argument of :class:`DAG`.
    :returns: the DAGs by id.
    :raises ConfigError: the configuration is missing or wrong.
    :raises NotBuiltError: it asks for a topology that this release does not have.
    """
    config = parse_config(config_path)
    wanted = get_parsing_context().dag_id
    refs = {profiling_dag_id(dag_id_prefix, config.identity, ref): ref for ref in config.refs}
    arguments = dag_arguments(config, tags, **{**_DAG_ARGUMENTS, **dag_kwargs})
    with many_objects():
        return {
            dag_id: _build(dag_id, config, ref, default_args, arguments)
            for dag_id, ref in refs.items()
            if wanted in (None, dag_id)
        }


def _build(
    dag_id: str, config: ParsedConfig, ref: TableRef, default_args: dict[str, Any] | None, arguments: dict[str, Any]
) -> DAG:
    table = {"table": ref.table, "schema": ref.schema or "", "database": ref.database or ""}
    shown = f"Profile {ref.display} ({config.identity.environment}, {config.identity.source})"
    with DAG(
        dag_id,
        schedule=[table_asset(config.identity, "change", ref)],
        default_args=default_args or {},
        **{"dag_display_name": shown, **arguments},
    ) as dag:
        profile = ProfileMeshTableOperator(
            task_id="profile",
            config_path=config.path,
            changed_only=True,
            outlets=[table_asset(config.identity, "profile", ref)],
            **table,
        )
        drift = ProfileMeshDriftOperator(
            task_id="drift",
            config_path=config.path,
            outlets=[table_asset(config.identity, "drift", ref)],
            **table,
        )
        profile >> drift
    return dag
