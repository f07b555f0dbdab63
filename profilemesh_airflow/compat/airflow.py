"""Airflow's public names, as Airflow 3 spells them, wherever the installed release keeps them.

A name is looked up when it is first asked for. Apache's own provider of such names comes first where it is installed
and has the name (Airflow brings it since 2.10; its ``sdk`` module is of late 2025), then the task SDK (3.0 and later),
then the place of Airflow 2. What a release does not have at all is a stand-in of
:mod:`profilemesh_airflow.compat.absent`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.configuration import conf
    from airflow.models.xcom import XComModel as XCom
    from airflow.sdk import (
        DAG,
        Asset,
        AssetAlias,
        AssetOrTimeSchedule,
        AssetWatcher,
        BaseHook,
        BaseNotifier,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Connection,
        CronTriggerTimetable,
        Param,
        PokeReturnValue,
        TaskGroup,
        Variable,
        XComArg,
        chain,
        get_parsing_context,
        task,
    )
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferred,
    )
    from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

_APACHE = "airflow.providers.common.compat.sdk"
_STAND_INS = "profilemesh_airflow.compat.absent"

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
_TRIGGERS = ("airflow.triggers.base",)

#: Modules that may have a name, the newest first. A name of Airflow 2 that differs follows a colon.
_PLACES: dict[str, tuple[str, ...]] = {
    "AirflowException": _EXCEPTIONS,
    "AirflowFailException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowSensorTimeout": _EXCEPTIONS,
    "AirflowSkipException": _EXCEPTIONS,
    # Datasets are of 2.4 and were renamed in 3.0; the alias is of 2.10.
    "Asset": ("airflow.sdk", "airflow.datasets:Dataset", _STAND_INS),
    "AssetAlias": ("airflow.sdk", "airflow.datasets:DatasetAlias", _STAND_INS),
    # Of 3.0; before 3.2 timetables are in the scheduler's part.
    "AssetOrTimeSchedule": ("airflow.sdk", "airflow.timetables.assets"),
    "AssetWatcher": ("airflow.sdk",),
    # 3.0 has it elsewhere than 3.1.
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    # Of 2.6.
    "BaseNotifier": ("airflow.sdk", "airflow.sdk.bases.notifier", "airflow.notifications.basenotifier", _STAND_INS),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink", "airflow.models.baseoperator"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sdk.bases.sensor", "airflow.sensors.base"),
    # Of 3.0; before, no asset has a watcher, and nothing runs such a trigger.
    "BaseEventTrigger": (*_TRIGGERS, "airflow.triggers.base:BaseTrigger"),
    "BaseTrigger": _TRIGGERS,
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "CronTriggerTimetable": ("airflow.sdk", "airflow.timetables.trigger"),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sdk.bases.sensor", "airflow.sensors.base"),
    "TaskDeferred": _EXCEPTIONS,
    "TaskGroup": ("airflow.sdk", "airflow.utils.task_group"),
    "TriggerEvent": _TRIGGERS,
    "Variable": ("airflow.sdk", "airflow.models.variable"),
    # An operator link reads it: in 3.x where the task ends, in 2.x in the web server.
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
    "chain": ("airflow.sdk", "airflow.models.baseoperator"),
    "conf": ("airflow.configuration",),
    # Of 2.4.
    "get_parsing_context": ("airflow.sdk", "airflow.utils.dag_parsing_context", _STAND_INS),
    "task": ("airflow.sdk", "airflow.decorators"),
}

__all__ = [
    "DAG",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "Asset",
    "AssetAlias",
    "AssetOrTimeSchedule",
    "AssetWatcher",
    "BaseEventTrigger",
    "BaseHook",
    "BaseNotifier",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "BaseTrigger",
    "Connection",
    "CronTriggerTimetable",
    "Param",
    "PokeReturnValue",
    "TaskDeferred",
    "TaskGroup",
    "TriggerEvent",
    "Variable",
    "XCom",
    "XComArg",
    "chain",
    "conf",
    "get_parsing_context",
    "task",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for place in (_APACHE, *_PLACES[name]):
        module, _, other_name = place.partition(":")
        found = find(module, other_name or name)
        if found is not None:
            globals()[name] = found
            return found
    # Where there is no Airflow at all, that is what is said.
    import_module("airflow")
    raise ImportError(
        f"the installed Airflow has no {name}: it is in none of {', '.join(_PLACES[name])}; "
        "see the table of what each release supports in docs/support.md"
    )


def find(module: str, name: str) -> Any:
    """A name of a module, or None where the module or the name is not there."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return None
