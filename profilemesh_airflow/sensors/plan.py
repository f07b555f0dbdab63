"""The plan sensor: waits for something to profile, records it in the ledger, and tells of it."""

from __future__ import annotations

import time
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.airflow import AirflowSensorTimeout, AirflowSkipException, BaseSensorOperator
from profilemesh_airflow.compat.capabilities import DEFERRABLE
from profilemesh_airflow.compat.variables import get_variable
from profilemesh_airflow.events import task_events
from profilemesh_airflow.exceptions import ProfileMeshError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.triggers.plan import CHANGED, FAILED, ProfileMeshPlanTrigger
from profilemesh_airflow.usecases.import_cursor import CURSOR_VARIABLE
from profilemesh_airflow.usecases.watch import news_document, take_news

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.usecases.watch import News
    from profilemesh_airflow.usecases.workspace import Workspace

#: Under which key a sensor tells what changed.
METADATA_KEY = "plan_change_metadata"


class ProfileMeshPlanSensor(BaseSensorOperator):
    """Succeeds when a table should be profiled, and is skipped when that did not happen until its timeout.

    It compares the plan with what was last profiled as a refresh does, by settings, schema and data, and records every
    change in the ledger. It acknowledges nothing: a change stays open until a profile of it is committed, so that a
    table whose profile fails is told of again, after ``airflow.redeliver_after``. Let a
    ``ProfileMeshProfilingOperator(changed_only=True)`` come after it: the two are the whole job on an Airflow without
    Datasets.

    What changed is pushed as ``plan_change_metadata``: ``environment``, ``source``, ``changed_tables`` (keys),
    ``reasons`` (by key), ``removed_tables``, ``metrics_requested``, ``drift_strategy`` and ``plan_signature``.

    It waits in the triggerer, where it looks at plan and ledger in a thread, and holds no worker. With
    ``deferrable=False`` or ``mode="reschedule"`` a worker looks, and is free in between.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param cursor_variable: the Variable in which the earlier integration's sensor kept its cursor. It is never written,
        and read only to warn of an upgrade that would profile everything: ``profilemesh-airflow import-cursor``
        prevents that. None means ``profilemesh_plan_cursor``.
    :param minimum_interval: seconds, or a time delta, that two looks are apart at least, whatever ``poke_interval`` is.
    :param force_run: where nothing is to be done, every table is: it always succeeds at its first look.
    :param deferrable: whether it waits in the triggerer; none means yes, unless ``mode`` is given.
    :param mode: ``reschedule``, or ``poke``, which holds a worker all the time; only where it is not deferrable.
    :param soft_fail: whether it is skipped at its timeout; otherwise it fails. An error fails it in either case.
    :param kwargs: those of every sensor: ``poke_interval``, ``timeout``, and so on.
    """

    template_fields: Sequence[str] = ("config_path", "profilemesh_conn_id")
    ui_color = "#d5ece4"

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        cursor_variable: str | None = None,
        minimum_interval: float | timedelta = 0,
        force_run: bool = False,
        deferrable: bool | None = None,
        mode: str | None = None,
        soft_fail: bool = True,
        **kwargs: Any,
    ) -> None:
        for name in ("poke_interval", "timeout"):
            if isinstance(kwargs.get(name), timedelta):
                # Of old, a sensor takes seconds alone.
                kwargs[name] = kwargs[name].total_seconds()
        super().__init__(mode=mode or "reschedule", soft_fail=soft_fail, **kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.cursor_variable = cursor_variable or CURSOR_VARIABLE
        self.minimum_interval = _seconds(minimum_interval)
        self.poke_interval = max(_seconds(self.poke_interval), self.minimum_interval)
        self.force_run = force_run
        self.deferrable = (mode is None if deferrable is None else deferrable) and DEFERRABLE.available
        if mode == "poke" and not self.deferrable:
            warnings.warn(
                f"task {self.task_id}: mode 'poke' holds a worker for as long as nothing changes; "
                "leave mode out, or use 'reschedule'",
                UserWarning,
                stacklevel=3,
            )

    def poke(self, context: Mapping[str, Any]) -> bool:
        """Look once: record what changed, and tell of it."""
        instance = context["ti"]
        with (
            ProfileMeshHook(self.config_path, self.profilemesh_conn_id).open_workspace() as workspace,
            task_events(context, workspace.events),
        ):
            reason = f"task {instance.dag_id}/{instance.task_id}, force_run"
            news = take_news(workspace, force=self.force_run, reason=reason)
            if news is None:
                self.log.info("nothing is to be profiled")
                return False
            document = news_document(workspace, news)
            self._warn_of_cursor(workspace, news)
        for entry in news.entries:
            self.log.info("%s: %s", entry.key, "; ".join(map(str, entry.reasons)))
        for key in document["removed_tables"]:
            self.log.info("%s: removed from the plan", key)
        instance.xcom_push(key=METADATA_KEY, value=document)
        return True

    def _warn_of_cursor(self, workspace: Workspace, news: News) -> None:
        if news.detection.seen.baselines or get_variable(self.cursor_variable) is None:
            return
        self.log.warning(
            "nothing was profiled here yet, and the Variable %s of the earlier integration is there: run "
            "`profilemesh-airflow import-cursor -c %s`, or every table is profiled",
            self.cursor_variable,
            workspace.config.path,
        )

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Look, and wait where nothing changed."""
        if not self.deferrable:
            return super().execute(context)  # type: ignore[arg-type, unused-ignore]
        # Not every change needs the way through the triggerer.
        return self._look_or_wait(context, time.time() + _seconds(self.timeout))

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """What the triggerer saw: look again, since it has written nothing, and things may have moved on.

        :raises ProfileMeshError: it could not look.
        """
        if event["status"] == CHANGED:
            self._look_or_wait(context, event["until"])
        elif event["status"] == FAILED:
            raise ProfileMeshError(event["message"])
        else:
            self._give_up()

    def _look_or_wait(self, context: Mapping[str, Any], until: float) -> None:
        if self.poke(context):
            return
        next_look = time.time() + self.poke_interval
        if next_look > until:
            self._give_up()
        trigger = ProfileMeshPlanTrigger(
            self.config_path, self.poke_interval, until, next_look, self.profilemesh_conn_id
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _give_up(self) -> None:
        message = f"nothing was to be profiled for {_seconds(self.timeout):.0f} s"
        if self.soft_fail:
            raise AirflowSkipException(message)
        raise AirflowSensorTimeout(message)


def _seconds(duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
