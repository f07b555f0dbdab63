"""The note on a task's DAG run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.capabilities import TASK_SDK
from profilemesh_airflow.compat.notes import write_note
from profilemesh_airflow.exceptions import ProfileMeshError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook

log = logging.getLogger(__name__)

#: Airflow's limit.
MAX_NOTE_LENGTH = 1000


def note_run(context: Mapping[str, Any], hook: ProfileMeshHook, text: str) -> None:
    """Leave a note on the task's DAG run, unless there is one: people's own notes are not written over.

    Since Airflow 3.0 that takes its REST API, at the address and with the login of the hook's connection. A note is a
    convenience: where it cannot be written, the log says why, and the task goes on.
    """
    instance = context["ti"]
    try:
        if TASK_SDK.available:
            _send_note(hook, instance.dag_id, instance.run_id, text[:MAX_NOTE_LENGTH])
        else:
            write_note(instance.dag_id, instance.run_id, text[:MAX_NOTE_LENGTH])
    except Exception as error:  # noqa: BLE001 - the boundary: what the task did is done, whatever becomes of its note
        shown = str(error) if isinstance(error, ProfileMeshError) else type(error).__name__
        log.info("no note was left on the DAG run: %s", shown)


def _send_note(hook: ProfileMeshHook, dag_id: str, run_id: str, text: str) -> None:
    if not hook.settings.api_url:
        log.info(
            "no note was left on the DAG run: Airflow 3 takes one by its REST API alone; give the task a "
            "profilemesh_conn_id whose connection has the address and a login"
        )
        return
    with hook.airflow_api() as api:
        api.note_run(dag_id, run_id, text)
