"""Making a DAG on every release."""

from __future__ import annotations

from typing import Any

from profilemesh_airflow.compat.airflow import DAG
from profilemesh_airflow.compat.capabilities import DATASETS, DISPLAY_NAMES, FAILURE_PAUSE

#: Arguments of which a DAG can do without, where its Airflow does not take them.
_OPTIONAL = {"dag_display_name": DISPLAY_NAMES, "max_consecutive_failed_dag_runs": FAILURE_PAUSE}


def make_dag(dag_id: str, *, schedule: Any, **arguments: Any) -> DAG:
    """A DAG; use it as a context manager.

    :param schedule: a cron expression, timetable, time delta or None; a list of assets from 2.4 on.
    :param arguments: any other of :class:`DAG`. What only changes how a DAG is shown, or guards against what an older
        release does not do, is left out where the installed one does not take it.
    """
    for name, capability in _OPTIONAL.items():
        if name in arguments and not capability.available:
            del arguments[name]
    # 2.3 calls it `schedule_interval`, which 3.0 no longer takes.
    arguments["schedule" if DATASETS.available else "schedule_interval"] = schedule
    return DAG(dag_id, **arguments)
