"""``hooks``: who is told about profiling events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from profilemesh_airflow.config.base import Identifier, OptionalText, Section, show
from profilemesh_airflow.config.connection import ConnectionConfig
from profilemesh_airflow.core.events import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping


_OTHER_SPELLINGS = {"WARN": "WARNING", "FATAL": "CRITICAL"}


def _level(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name = value.strip().upper()
    return _OTHER_SPELLINGS.get(name, name)


_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _place(value: str) -> str:
    if not _PLACE.fullmatch(value):
        raise ValueError(f"{show(value)} is no function; write it as module:function, such as my_company.alerts:tell")
    return value


def _alone_is_a_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


#: A function of the user's own, as ``module:function``.
FunctionPlace = Annotated[str, AfterValidator(_place)]
#: One or several of them.
FunctionPlaces = Annotated[tuple[FunctionPlace, ...], BeforeValidator(_alone_is_a_list)]


class HookConfig(Section):
    """One receiver of events: a log, a table, or a class of the user's own with its ``params``.

    :param events: the types of event that it is told of; none is all.
    """

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "alert_on_drift",
            "alert_on_profiling_failure",
            "alert_on_schema_change",
            "channel",
            "min_severity",
            "timeout",
            "username",
            "webhook_url",
        }
    )

    type: Literal["logging", "sql", "snowflake", "custom"]
    enabled: bool = True
    events: Annotated[tuple[EventType, ...] | None, BeforeValidator(_alone_is_a_list)] = None
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level)] = "INFO"
    connection: ConnectionConfig | None = None
    table_name: Identifier = "profilemesh_events"
    module: OptionalText = None
    class_name: OptionalText = None
    params: dict[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def unsupported_entry(cls, entry: Mapping[Any, Any], whole: Mapping[str, Any]) -> str | None:
        """A Slack hook."""
        return "hook type 'slack' is not supported here; the hook is ignored" if entry.get("type") == "slack" else None

    @model_validator(mode="after")
    def _complete(self) -> HookConfig:
        if self.type == "custom" and self.enabled and not (self.module and self.class_name):
            raise ValueError("a custom hook needs module and class_name")
        return self


class HooksConfig(Section):
    """The receivers of events, and one switch for all of them.

    :param pre_profiling: functions that are called before a table is profiled.
    :param post_profiling: functions that are called when it was profiled, or has failed.
    """

    enabled: bool = True
    hooks: tuple[HookConfig, ...] = ()
    pre_profiling: FunctionPlaces = ()
    post_profiling: FunctionPlaces = ()
