"""Every DAG of a configuration, by one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import get_parsing_context
from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.core.uri import PROFILING_DAGS
from profilemesh_airflow.dagbuilder.polling import build_polling_dag
from profilemesh_airflow.dagbuilder.profiling import build_profiling_dags
from profilemesh_airflow.dagbuilder.refresh import build_plan_refresh_dag
from profilemesh_airflow.usecases.ask import REFRESH_DAG

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from profilemesh_airflow.compat.airflow import DAG


def build_profilemesh_dags(
    config_path: str | os.PathLike[str],
    *,
    lock: str | os.PathLike[str] | None = None,
    refresh_dag_id: str = REFRESH_DAG,
    dag_id_prefix: str = PROFILING_DAGS,
    tags: Iterable[str] = (),
    default_args: dict[str, Any] | None = None,
    refresh_args: Mapping[str, Any] | None = None,
    **dag_kwargs: Any,
) -> dict[str, DAG]:
    """Build all that a configuration needs: the plan refresh, and one profiling DAG a table.

    On an Airflow without Datasets (before 2.4) that is the DAG of :func:`.build_polling_dag`, under the refresh's id:
    the same file works on every Airflow.

    Put them into the DAG file's ``globals()``::

        globals().update(build_profilemesh_dags("/opt/airflow/config.yml"))

    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param lock: the file that ``profilemesh-airflow plan --lock`` wrote; by default the one beside the configuration.
    :param refresh_dag_id: id of the refresh; give another one for a second configuration in the same Airflow.
    :param dag_id_prefix: what the ids of the profiling DAGs start with.
    :param tags: of every DAG, in addition to ``profilemesh``, environment and source.
    :param default_args: of the tasks of every DAG.
    :param refresh_args: arguments of :func:`.build_plan_refresh_dag` (or :func:`.build_polling_dag`) alone, such as
        ``schedule``.
    :param dag_kwargs: any other argument of every DAG.
    :returns: the DAGs by id.
    :raises ConfigError: the configuration is missing or wrong, or its lock is missing or stale.
    :raises NotBuiltError: it asks for a topology that this release does not have.
    """
    if not DATASETS.available:
        polling = {"tags": list(tags), "default_args": default_args, **dag_kwargs, **(refresh_args or {})}
        return {refresh_dag_id: build_polling_dag(config_path, dag_id=refresh_dag_id, **polling)}
    shared: dict[str, Any] = {"lock": lock, "tags": list(tags), "default_args": default_args, **dag_kwargs}
    dags = build_profiling_dags(config_path, dag_id_prefix=dag_id_prefix, **shared)
    if get_parsing_context().dag_id in (None, refresh_dag_id):
        dags[refresh_dag_id] = build_plan_refresh_dag(
            config_path, dag_id=refresh_dag_id, **{**shared, **(refresh_args or {})}
        )
    return dags
