"""Events: what happened to the plan or to a table, as one record. They tell of the ledger, which is the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from math import isfinite
from typing import Any, Literal, NamedTuple, get_args
from uuid import uuid4

from profilemesh_airflow.core.connection import without_secrets

#: What an event can be about.
EventType = Literal[
    "plan_refreshed",
    "change_detected",
    "profiling_started",
    "profiling_completed",
    "profiling_failed",
    "profiling_skipped",
    "drift_detected",
    "schema_changed",
    "table_removed",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

#: The type of the row in the event log that tells of a hook which failed; no hook is told of it.
HOOK_FAILED = "hook_failed"

#: That of the row which says which configuration a refresh used; the same.
CONFIG_REFRESHED = "configuration_refreshed"

#: Version of the record: raised when a key goes or gets another meaning, not when one is added.
SCHEMA_VERSION = 1


class Happened(NamedTuple):
    """What happened, as a use case decides it: an event without who and when.

    :param table_key: the table it is about, or none.
    :param data: what else there is to say, fit for JSON.
    """

    event_type: str
    table_key: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """The task in which something happened; all none on the command line.

    :param map_index: which of a mapped task's instances; none or -1 for a task that is not mapped.
    """

    dag_id: str | None = None
    dag_run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None


@dataclass(frozen=True)
class Event:
    """One event.

    :param event_type: one of :data:`EVENT_TYPES`, or a user's own.
    :param environment: whose table it is, with ``source``; both are none for an event that knows no configuration.
    :param table_key: the table it is about, or none.
    :param data: what else there is to say; made fit for JSON.
    :param timestamp: when it happened, in UTC, by the clock of the machine.
    :param event_id: 32 hexadecimal digits; the same for every receiver.
    """

    event_type: str
    environment: str | None = None
    source: str | None = None
    table_key: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)
    timestamp: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    event_id: str = field(default_factory=lambda: uuid4().hex)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", json_safe(self.data))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """``data``, by the name that it has for hooks written for the earlier format."""
        return self.data

    def as_dict(self) -> dict[str, Any]:
        """The event as flat JSON-safe data: its own keys, then those of ``data``, which override none of them."""
        own = {
            "schema_version": self.schema_version,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": self.timestamp.isoformat(),
            "environment": self.environment,
            "source": self.source,
            "table_key": self.table_key,
            "dag_id": self.origin.dag_id,
            "dag_run_id": self.origin.dag_run_id,
            "task_id": self.origin.task_id,
            "map_index": self.origin.map_index,
        }
        return {**own, **{key: value for key, value in self.data.items() if key not in own}}


def json_safe(value: Any, secrets: tuple[str, ...] = ()) -> Any:
    """A copy of ``value`` that JSON can hold: times as ISO 8601, what is not finite as null, the unknown as its text.

    :param secrets: blotted out of every text.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {without_secrets(str(key), secrets): json_safe(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(item, secrets) for item in value]
    text = value.isoformat() if isinstance(value, datetime | date | time) else str(value)
    return without_secrets(text, secrets)
