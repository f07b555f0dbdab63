"""What can be seen of a DAG right after its file was parsed, on every release of Airflow."""

from __future__ import annotations

from profilemesh_airflow.compat.capabilities import TASK_SDK


def cron_of(dag):
    """The cron expression, alone or beside an asset; none where there is none."""
    if not TASK_SDK.available:
        return dag.schedule_interval
    timetable = getattr(dag.schedule, "timetable", None)
    if timetable is None:
        return None if isinstance(dag.schedule, list) else dag.schedule
    return getattr(timetable, "expression", None) or timetable._expression


def awaited(dag):
    """URIs of the assets that a DAG is scheduled on."""
    if TASK_SDK.available:
        return [asset.uri for asset in assets_of(dag)]
    # A list up to 2.8, an expression from 2.9 on, kept by the timetable since 2.10.
    triggers = dag.dataset_triggers if hasattr(dag, "dataset_triggers") else dag.timetable.dataset_condition
    return [uri for uri, _ in triggers.iter_datasets()] if hasattr(triggers, "iter_datasets") else _uris(triggers)


def assets_of(dag):
    """The assets that a DAG is scheduled on, in Airflow 3."""
    found = getattr(dag.schedule, "asset_condition", dag.schedule)
    return found if isinstance(found, list) else list(getattr(found, "objects", ()))


def outlets_of(dag, task_id):
    """URIs of a task's outlets."""
    return _uris(dag.get_task(task_id).outlets)


def _uris(assets):
    return [asset.uri for asset in assets]
