"""Airflow's Variables on every release."""

from __future__ import annotations

from typing import Any

from profilemesh_airflow.compat.airflow import Variable, find
from profilemesh_airflow.compat.capabilities import TASK_SDK


def get_variable(name: str) -> str | None:
    """The text of a Variable, or none where there is no such."""
    # 3.0 renamed the parameter.
    default: dict[str, Any] = {"default" if TASK_SDK.available else "default_var": None}
    try:
        found = Variable.get(name, **default)
    except ImportError:
        # In 3.0 the SDK's own can be asked in a task alone, and Airflow's other one on the command line too.
        found = find("airflow.models.variable", "Variable").get(name, default_var=None)
    return None if found is None else str(found)
