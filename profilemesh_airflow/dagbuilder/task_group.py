"""A group of tasks that profile, in a DAG of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import TaskGroup
from profilemesh_airflow.compat.assets import outlets as fit_outlets
from profilemesh_airflow.core.naming import match_tables, task_ids
from profilemesh_airflow.dagbuilder.common import ParsedConfig, parse_config
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.operators.profile import ProfileMeshTableOperator
from profilemesh_airflow.operators.select import ProfileMeshSelectOperator

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from profilemesh_airflow.compat.airflow import DAG
    from profilemesh_airflow.core.table import TableRef

    #: A name, or a mapping of ``table``, ``schema`` and ``database``; each may have wildcards.
    Pattern = Mapping[str, str] | str


def create_profiling_task_group(
    group_id: str,
    config_path: str | os.PathLike[str],
    dag: DAG | None = None,
    *,
    only: Iterable[Pattern] | None = None,
    exclude: Iterable[Pattern] = (),
    mapped: bool = False,
    changed_only: bool = False,
    force: bool = False,
    operator_args: Mapping[str, Any] | None = None,
    lock: str | os.PathLike[str] | None = None,
    **task_group_kwargs: Any,
) -> TaskGroup:
    """A task group with one task a table, or one mapped task for all of them.

    Only the configuration file is read while the DAG file is parsed, and, where it selects tables by pattern, its lock.
    A task's id is the bare name of its table; where two would meet, each has its schema before it.

    :param group_id: the id of the group.
    :param config_path: path of the ProfileMesh configuration; the same on every machine that runs tasks.
    :param dag: the DAG; none is the one in whose ``with`` this is called.
    :param only: the tables to have tasks; none means all. As ``table_patterns`` of the operator, with wildcards.
    :param exclude: tables that have none.
    :param mapped: one task finds out which tables are to be profiled when the group runs, and one mapped task profiles
        each of them. With ``changed_only`` only those that changed show up in the run at all.
    :param changed_only: profile just what changed; without ``mapped``, the tasks of the other tables are skipped. They
        look at the ledger alone: let a :class:`.ProfileMeshPlanSensor` or a plan refresh come first.
    :param force: profile each table, even those that are parked since they failed too often.
    :param operator_args: arguments of the tasks that profile (``pool``, ``retries``, ``outlets``, ...). Outlets are
        added to those that a task has: the table's ``profile`` asset; a mapped task has none of its own.
    :param lock: the file that ``profilemesh-airflow plan --lock`` wrote; by default the one beside the configuration.
    :param task_group_kwargs: any other argument of Airflow's task group: ``prefix_group_id``, ``tooltip``, ...
    :raises ConfigError: the configuration is missing or wrong, its lock is missing or stale, or no table is left.
    :raises UnknownTableError: a pattern means no table.
    """
    config = parse_config(config_path, lock)
    refs = _chosen(config, only, exclude)
    arguments = dict(operator_args or {})
    own_outlets = list(arguments.pop("outlets", None) or [])
    of_dag: dict[str, Any] = {} if dag is None else {"dag": dag}
    shared: dict[str, Any] = {"config_path": config.path, **of_dag}
    with TaskGroup(group_id=group_id, **of_dag, **task_group_kwargs) as group:
        if mapped:
            everything = only is None and not exclude
            select = ProfileMeshSelectOperator(
                task_id="select",
                table_patterns=None if everything else [ref.key for ref in refs],
                changed_only=changed_only,
                force=force,
                **shared,
            )
            # What is to be profiled is in the ledger by then, and a retry must not ask for more.
            ProfileMeshTableOperator.partial(
                task_id="profile", changed_only=True, outlets=own_outlets, **shared, **arguments
            ).expand(table=select.output)
            return group
        ids = task_ids(config.refs)
        for ref in refs:
            ProfileMeshTableOperator(
                task_id=ids[ref],
                table=ref.table,
                schema=ref.schema or "",
                database=ref.database or "",
                changed_only=changed_only,
                force=force,
                outlets=[*fit_outlets(table_asset(config.identity, "profile", ref)), *own_outlets],
                **shared,
                **arguments,
            )
    return group


def _chosen(config: ParsedConfig, only: Iterable[Pattern] | None, exclude: Iterable[Pattern]) -> Sequence[TableRef]:
    chosen = config.refs if only is None else match_tables(config.refs, only)
    left_out = set(match_tables(config.refs, exclude))
    refs = [ref for ref in chosen if ref not in left_out]
    if not refs:
        raise ConfigError(f"{config.path}: no table is left for the task group; look at only and exclude")
    return refs
