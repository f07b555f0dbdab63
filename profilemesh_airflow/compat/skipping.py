"""Skipping tasks of the same run from within a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import find

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def skip_tasks(context: Mapping[str, Any], task_ids: Collection[str]) -> None:
    """Skip tasks that follow this one, before Airflow starts a process for each (2.4 to 2.9).

    Only the state of this run's tasks is written. A task that somebody clears runs, and decides for itself.
    """
    run, dag = context["dag_run"], context["dag"]
    # A mixin of its own has no task id, and without one nothing is noted that would skip a cleared task again.
    find("airflow.models.skipmixin", "SkipMixin")().skip(
        run, run.execution_date, [dag.get_task(task_id) for task_id in task_ids]
    )
