"""``airflow``: how profiling runs on Airflow. None of it is part of the format's earlier versions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from profilemesh_airflow.config.base import Positive, Section, show
from profilemesh_airflow.config.cron import fault_of
from profilemesh_airflow.config.durations import Duration
from profilemesh_airflow.config.sizes import Size

_PRESETS = ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")


def _schedule(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        return value or None
    schedule = value.strip()
    fault = None if schedule in _PRESETS else fault_of(schedule)
    if fault is not None:
        raise ValueError(
            f"{show(value)} is not a schedule{fault and f': {fault}'}; write a cron expression such as '*/15 * * * *', "
            f"one of {', '.join(_PRESETS)}, or null"
        )
    return schedule


def _address(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        return value or None
    address, names = value.strip(), ("environment", "source", "database", "schema", "table", "table_key")
    try:
        shown = address.format_map(dict.fromkeys(names, ""))
    except (LookupError, ValueError, AttributeError, TypeError):
        shown = ""
    if not shown.startswith(("http://", "https://", "/")):
        raise ValueError(
            f"{show(value)} is no address; write one such as 'https://dashboards/tables?key={{table_key}}', with "
            f"{', '.join(f'{{{name}}}' for name in names)} where they are needed"
        )
    return address


class BudgetConfig(Section):
    """What one refresh may ring at most, so that a large change does not start everything at once."""

    tables: Positive | None = None
    bytes: Size | None = None


class WatchConfig(Section):
    """How an edit of the configuration is noticed.

    :param enabled: whether it starts a refresh, where the installed Airflow can watch (3.0 and later).
    :param debounce: files are quiet when none was written for so long; then one refresh answers all that was saved.
    :param observer: the operating system tells of writes (``native``), or the files are looked at again and again
        (``polling``), as has to be done on network file systems; ``auto`` finds out.
    :param interval: between two looks of ``polling``.
    """

    enabled: bool = True
    debounce: Duration = timedelta(seconds=1)
    observer: Literal["auto", "native", "polling"] = "auto"
    interval: Duration = timedelta(seconds=5)


class AirflowConfig(Section):
    """Topology, schedule and patience of the profiling DAGs.

    :param topology: one DAG a table, one a schema, one with mapped tasks, or one with a run a table.
    :param refresh_schedule: when the plan is refreshed; none means by hand or on an event.
    :param watch: whether and how an edit of the configuration starts a refresh.
    :param redeliver_after: how long an unanswered change waits until it is rung again.
    :param lease: how long a worker may hold a claim without a sign of life.
    :param max_attempts: failures after which a change is parked.
    :param budget: what one refresh may ring; none is no limit.
    :param deadline: how long a change may stay open before ``doctor`` reports it.
    :param listen_to_upstream: profile when a load job reports the table itself, too.
    :param upstream_debounce: how long it must be quiet, after a load was reported, before what came is profiled as one.
    :param profile_after: age at which a table whose data version is unknown counts as stale.
    :param on_empty: what a table without rows is.
    :param events_retention: how long the store's own event log keeps an event.
    :param results_url: where a task's button leads, for the results of its table; none is Airflow's page of its asset.
    """

    topology: Literal["per_table", "per_schema", "mapped", "partitioned"] = "per_table"
    refresh_schedule: Annotated[str | None, BeforeValidator(_schedule)] = None
    watch: WatchConfig = Field(default_factory=WatchConfig)
    redeliver_after: Duration = timedelta(minutes=15)
    lease: Duration = timedelta(hours=1)
    max_attempts: Positive = 5
    budget: BudgetConfig | None = None
    deadline: Duration = timedelta(hours=24)
    listen_to_upstream: bool = False
    upstream_debounce: Duration = timedelta(seconds=10)
    profile_after: Duration = timedelta(hours=24)
    on_empty: Literal["pass", "warn", "fail"] = "pass"
    events_retention: Duration = timedelta(days=90)
    results_url: Annotated[str | None, BeforeValidator(_address)] = None
