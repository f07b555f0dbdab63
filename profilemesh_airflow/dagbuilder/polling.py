"""The polling DAG: a sensor waits for a change, and what changed is profiled. It needs no Datasets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.dags import make_dag
from profilemesh_airflow.dagbuilder.common import FROM_CONFIG, dag_arguments, parse_config
from profilemesh_airflow.operators.profile import ProfileMeshProfilingOperator
from profilemesh_airflow.sensors.plan import ProfileMeshPlanSensor

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from profilemesh_airflow.compat.airflow import DAG

#: When a run is due where the configuration does not say: the next one soon after one has ended.
DEFAULT_SCHEDULE = "*/5 * * * *"

#: A run in which nothing changes ends after so long, so that the list of runs shows that somebody looks.
DEFAULT_TIMEOUT = timedelta(days=1)

_DOC = """\
Waits until a table of the ProfileMesh plan has changed, and profiles what changed, one table after the other. Then the
next run waits. A run in which nothing changed until the sensor's timeout is skipped.

A change stays in the ledger until its profile is committed: what failed or came too late is for the next run.
"""


def build_polling_dag(
    config_path: str | os.PathLike[str],
    *,
    dag_id: str = "profilemesh_polling",
    schedule: Any = FROM_CONFIG,
    tags: Iterable[str] = (),
    default_args: dict[str, Any] | None = None,
    sensor_args: Mapping[str, Any] | None = None,
    **dag_kwargs: Any,
) -> DAG:
    """Build one DAG that waits for changes and profiles them, on every Airflow from 2.3 on.

    From 2.4 on, :func:`.build_profiling_dags` and :func:`.build_plan_refresh_dag` do the same with a DAG a table, which
    run side by side and show as lineage. Both ways drain the same ledger, and may run at the same time.

    Only the configuration file is read here; no database, connection or variable.

    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param dag_id: give another one for a second configuration in the same Airflow.
    :param schedule: when the next run may begin; by default ``airflow.refresh_schedule`` of the configuration, and
        where that is not set :data:`DEFAULT_SCHEDULE`. There is one run at a time.
    :param tags: in addition to ``profilemesh``, environment and source.
    :param default_args: of the DAG's tasks.
    :param sensor_args: arguments of the :class:`~profilemesh_airflow.sensors.plan.ProfileMeshPlanSensor`, such as
        ``poke_interval``, ``timeout`` (by default :data:`DEFAULT_TIMEOUT`) and ``minimum_interval``.
    :param dag_kwargs: any other argument of :class:`DAG`.
    :raises ConfigError: the configuration is missing or wrong.
    """
    config = parse_config(config_path)
    if schedule is FROM_CONFIG:
        schedule = config.model.airflow.refresh_schedule or DEFAULT_SCHEDULE
    arguments = dag_arguments(config, tags, **{"doc_md": _DOC, **dag_kwargs})
    sensor = {"timeout": DEFAULT_TIMEOUT.total_seconds(), **(sensor_args or {})}
    with make_dag(dag_id, schedule=schedule, default_args=default_args or {}, **arguments) as dag:
        wait = ProfileMeshPlanSensor(task_id="wait_for_change", config_path=config.path, **sensor)
        profile = ProfileMeshProfilingOperator(task_id="profile_changed", config_path=config.path, changed_only=True)
        wait >> profile
    return dag
