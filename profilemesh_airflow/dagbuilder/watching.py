"""When the refresh runs: by its schedule, and when the configuration was edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.assets import watched_schedule
from profilemesh_airflow.compat.capabilities import WATCHERS
from profilemesh_airflow.core.uri import config_uri

if TYPE_CHECKING:
    from profilemesh_airflow.dagbuilder.common import ParsedConfig

#: Schedules that are no times of a clock, and stand alone: one run at all, and one after the other.
_NO_TIMES = ("@once", "@continuous")


def refresh_schedule(config: ParsedConfig) -> Any:
    """What the configuration says: its cron expression, an edit of its file, or either, whichever comes first.

    An edit needs Airflow 3.0. The trigger is made here alone, as no older one has such.
    """
    settings, watch = config.model.airflow, config.model.airflow.watch
    if not watch.enabled or not WATCHERS.available or settings.refresh_schedule in _NO_TIMES:
        return settings.refresh_schedule
    from profilemesh_airflow.triggers.config_file import ConfigFileTrigger

    trigger = ConfigFileTrigger(
        config.path, watch.debounce.total_seconds(), watch.observer, watch.interval.total_seconds()
    )
    identity = config.identity
    extra = {"environment": identity.environment, "source": identity.source}
    return watched_schedule(config_uri(identity), extra, "configuration", trigger, settings.refresh_schedule)
