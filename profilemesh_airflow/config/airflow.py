"""``airflow``: how profiling runs on Airflow. None of it is part of the format's earlier versions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from profilemesh_airflow.config.base import Positive, Section, show
from profilemesh_airflow.config.durations import Duration
from profilemesh_airflow.config.sizes import Size

_CRON = re.compile(r"[A-Za-z0-9*/,#?-]+( +[A-Za-z0-9*/,#?-]+){4,5}")
_PRESETS = ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")


def _schedule(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        return value or None
    schedule = value.strip()
    if schedule not in _PRESETS and not _CRON.fullmatch(schedule):
        raise ValueError(
            f"{show(value)} is not a schedule; write a cron expression such as '*/15 * * * *', "
            f"one of {', '.join(_PRESETS)}, or null"
        )
    return schedule


class BudgetConfig(Section):
    """What one refresh may ring at most, so that a large change does not start everything at once."""

    tables: Positive | None = None
    bytes: Size | None = None


class AirflowConfig(Section):
    """Topology, schedule and patience of the profiling DAGs.

    :param topology: one DAG a table, one a schema, one with mapped tasks, or one with a run a table.
    :param refresh_schedule: when the plan is refreshed; none means by hand or on an event.
    :param redeliver_after: how long an unanswered change waits until it is rung again.
    :param lease: how long a worker may hold a claim without a sign of life.
    :param max_attempts: failures after which a change is parked.
    :param budget: what one refresh may ring; none is no limit.
    :param deadline: how long a change may stay open before ``doctor`` reports it.
    :param listen_to_upstream: profile when a load job reports the table itself, too.
    :param profile_after: age at which a table whose data version is unknown counts as stale.
    :param on_empty: what a table without rows is.
    """

    topology: Literal["per_table", "per_schema", "mapped", "partitioned"] = "per_table"
    refresh_schedule: Annotated[str | None, BeforeValidator(_schedule)] = None
    redeliver_after: Duration = timedelta(minutes=15)
    lease: Duration = timedelta(hours=1)
    max_attempts: Positive = 5
    budget: BudgetConfig | None = None
    deadline: Duration = timedelta(hours=24)
    listen_to_upstream: bool = False
    profile_after: Duration = timedelta(hours=24)
    on_empty: Literal["pass", "warn", "fail"] = "pass"
