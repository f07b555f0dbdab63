"""What the installed Airflow can do, found by looking and not by its version number.

The rest of the package asks ``ALIAS.available``. The releases that are named here are for people: the probe is what
counts, and the table in ``docs/support.md`` is made of the probes of real installations.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from profilemesh_airflow.compat import absent, airflow
from profilemesh_airflow.compat.airflow import find

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Capability:
    """Something that not every release of Airflow can do.

    :param name: a word for it.
    :param since: the first release that can.
    :param meaning: what this package does with it.
    :param without: what this package does instead.
    :param probe: whether the installed Airflow can; called once.
    """

    name: str
    since: str
    meaning: str
    without: str
    probe: Callable[[], bool]

    @cached_property
    def available(self) -> bool:
        """Whether the installed Airflow has it."""
        return self.probe()


def _has(module: str, name: str) -> bool:
    return find(module, name) is not None


def _is_own(name: str) -> bool:
    """Whether Airflow itself has a name that this package could stand in for."""
    return not hasattr(absent, name) or getattr(airflow, name) is not getattr(absent, name)


def _dag_takes(parameter: str) -> bool:
    return parameter in inspect.signature(airflow.DAG.__init__).parameters


DATASETS = Capability(
    "datasets",
    "2.4",
    "each table's DAG is scheduled on the table's asset",
    "`ProfileMeshPlanSensor` starts the profiling of what changed (`build_polling_dag`)",
    lambda: _is_own("Asset"),
)
ANY_ASSET = Capability(
    "any asset",
    "2.9",
    "a table's DAG also starts when a load job reports the table's data",
    "it starts on the table's change asset alone: the next refresh finds what was loaded",
    lambda: DATASETS.available and any("__or__" in vars(kind) for kind in airflow.Asset.__mro__),
)
ALIAS = Capability(
    "alias",
    "2.10",
    "one mapped task rings for up to 100 changed tables",
    "one ring task a table; those of unchanged tables are skipped",
    lambda: _is_own("AssetAlias"),
)
EVENT_EXTRA = Capability(
    "event extra",
    "2.10",
    "an asset event carries the reasons, the profile's summary or the drift report",
    "an event only says that something happened; the rest is in the store and in XCom",
    ALIAS.probe,
)
NESTED_EXTRA = Capability(
    "nested extra",
    "3.1",
    "the reasons in an event that is published through an alias are a list",
    "they are a text of JSON: 2.10, 2.11 and 3.0 fail a task that gives such an event a list",
    # It is the server that fails. Its release is that of the SDK, which has had this name since then.
    lambda: _has("airflow.sdk", "BaseHook"),
)
WATCHERS = Capability(
    "watchers",
    "3.0",
    "an edit of the configuration starts a refresh",
    "`profilemesh-airflow watch` does it; or the refresh looks when its schedule says so",
    lambda: _has("airflow.sdk", "AssetWatcher"),
)
PARTITIONS = Capability(
    "partitions",
    "3.3",
    "a run can stand for one table of one DAG",
    "one DAG a table",
    lambda: _has_partitions(),
)
DEFERRABLE = Capability(
    "deferrable",
    "2.2",
    "the sensor waits in the triggerer and holds no worker",
    "the sensor is rescheduled",
    lambda: _has("airflow.triggers.base", "BaseTrigger"),
)
MAPPED_TASKS = Capability(
    "mapped tasks",
    "2.3",
    "operators can be mapped with `.partial().expand()`",
    "one task a table, made while the file is parsed",
    lambda: _operators_map(),
)
NOTIFIERS = Capability(
    "notifiers",
    "2.6",
    "notifiers render their templates",
    "notifiers are plain callbacks, and render no templates",
    lambda: (
        _has("airflow.sdk.bases.notifier", "BaseNotifier") or _has("airflow.notifications.basenotifier", "BaseNotifier")
    ),
)
DISPLAY_NAMES = Capability(
    "display names",
    "2.9",
    "a DAG is shown under its table's name",
    "a DAG is shown under its id",
    lambda: _dag_takes("dag_display_name"),
)
FAILURE_PAUSE = Capability(
    "pause on failures",
    "2.9",
    "a DAG whose table keeps failing is kept from being paused",
    "no DAG is paused for failures",
    lambda: _dag_takes("max_consecutive_failed_dag_runs"),
)
PARSING_CONTEXT = Capability(
    "parsing context",
    "2.4",
    "to run a task, only its own DAG is built",
    "to run a task, every DAG of the file is built",
    lambda: (
        _has("airflow.sdk", "get_parsing_context") or _has("airflow.utils.dag_parsing_context", "get_parsing_context")
    ),
)
TASK_SDK = Capability(
    "task SDK",
    "3.0",
    "tasks reach Airflow through its API",
    "tasks reach Airflow's own database",
    lambda: _has("airflow.sdk", "BaseOperator"),
)

CAPABILITIES = (
    DATASETS,
    ANY_ASSET,
    ALIAS,
    EVENT_EXTRA,
    NESTED_EXTRA,
    WATCHERS,
    PARTITIONS,
    MAPPED_TASKS,
    DEFERRABLE,
    NOTIFIERS,
    PARSING_CONTEXT,
    DISPLAY_NAMES,
    FAILURE_PAUSE,
    TASK_SDK,
)


def _has_partitions() -> bool:
    # Partitioned timetables are of 3.2; a task can name the keys of its event since 3.3.
    accessor = find("airflow.sdk.execution_time.context", "OutletEventAccessor")
    return hasattr(accessor, "add_partitions")


def _operators_map() -> bool:
    return hasattr(airflow.BaseOperator, "partial")
