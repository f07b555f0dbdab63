"""A notifier: what becomes of a task or a DAG run, told to the hooks of a ProfileMesh configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import BaseNotifier
from profilemesh_airflow.core.events import EVENT_TYPES, Happened
from profilemesh_airflow.events import origin_of
from profilemesh_airflow.exceptions import ConfigError, ProfileMeshError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.usecases.workspace import Workspace

#: An event shows so much of what Airflow says of a failure.
_SHOWN = 500


class ProfileMeshNotifier(BaseNotifier):
    """Tells the hooks of a configuration that a task or a DAG run failed or succeeded; for ``on_failure_callback`` etc.

    The operators tell of each table by themselves. This tells of what they cannot: a worker that was killed, a timeout,
    a configuration that cannot be read, a DAG run as a whole.

    Before Airflow 2.6, which has no notifiers, it is a plain callback, and renders no templates.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated). It
        is read where the callback runs, which for a DAG's callback is the DAG processor (the scheduler in Airflow 2).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param event_type: ``profiling_failed`` or ``profiling_completed``, or another of the events.
    :param message: what else to say (templated).
    :raises ConfigError: there is no such event.
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id", "message")

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        event_type: str = "profiling_failed",
        message: str = "",
    ) -> None:
        super().__init__()
        if event_type not in EVENT_TYPES:
            raise ConfigError(
                f"ProfileMeshNotifier: event_type {event_type!r} is not allowed; use one of {', '.join(EVENT_TYPES)}"
            )
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.event_type = event_type
        self.message = message

    def notify(self, context: Mapping[str, Any]) -> None:
        """Tell the hooks.

        :raises ConfigError: the configuration cannot be read. A hook that fails is logged.
        """
        # A DAG's callback is handed a task instance too, the last one, and alone says why it is called.
        of_task = "reason" not in context
        origin = origin_of(context)
        with ProfileMeshHook(self.config_path, self.profilemesh_conn_id).workspace() as workspace:
            workspace.events.origin = origin if of_task else replace(origin, task_id=None, map_index=None)
            workspace.events.context = context
            error = context.get("exception") if of_task else None
            told = {
                "scope": "task" if of_task else "dag_run",
                "message": self.message or None,
                "error": _shown(workspace, error),
                "error_type": type(error).__name__ if isinstance(error, BaseException) else None,
                "reason": context.get("reason"),
            }
            data = {name: value for name, value in told.items() if value is not None}
            workspace.events.tell([Happened(self.event_type, None, data)])


def _shown(workspace: Workspace, error: Any) -> str | None:
    if not error:
        return None
    try:
        return workspace.redact(str(error))[:_SHOWN]
    except ProfileMeshError:
        # A connection that cannot be looked up has given nobody a secret.
        return str(error)[:_SHOWN]
