"""Events in Airflow: what a task's use cases tell goes into its XCom, and users' own tasks can tell something, too."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.events import Event, Origin
from profilemesh_airflow.usecases.events import Callback, log_event
from profilemesh_airflow.usecases.events.callback import AFTER, BEFORE, CallbackReceiver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from profilemesh_airflow.usecases.events import Announcer

#: One function or several, or where they are: ``module:function``.
Callbacks = Callback | str | Sequence[Callback | str] | None

#: Where a task's events are in XCom, and how many more there were than fit in there.
XCOM_KEY = "profilemesh_events"
XCOM_OMITTED_KEY = "profilemesh_events_omitted"

#: XCom holds so many events of a task, and so many bytes of them: a MySQL of Airflow's own ends a value at 64 KiB.
MOST_EVENTS = 100
MOST_BYTES = 48_000

#: The latest task instances of this process, which works on one at a time, and what is in the XCom of each.
_told: deque[tuple[Any, list[dict[str, Any]]]] = deque(maxlen=8)


def emit_profiling_event(context: Mapping[str, Any], event_type: str, **data: Any) -> None:
    """Tell of something in a task of one's own: in the log, and in the task's XCom ``profilemesh_events``.

    :param context: the task's context.
    :param event_type: one of this package's, or any other.
    :param data: what there is to say; made fit for JSON. ``table_key``, ``environment`` and ``source`` say whose table
        it is about.
    """
    known = {name: data.pop(name, None) for name in ("environment", "source", "table_key")}
    event = Event(event_type, **known, data=data, origin=origin_of(context))
    log_event(event)
    _Collector(context).receive([event])


@contextmanager
def task_events(
    context: Mapping[str, Any],
    announcer: Announcer,
    *,
    xcom: bool = True,
    before: Callbacks = None,
    after: Callbacks = None,
) -> Iterator[None]:
    """Let a task's events go into its XCom in the end, also where it fails, and to its callbacks.

    :param announcer: of the workspace in which the task works.
    :param xcom: whether they go into XCom.
    :param before: functions, or where they are, that are called before a table is profiled.
    :param after: the same, when it was profiled, or has failed.
    :raises ConfigError: a callback cannot be found.
    """
    announcer.origin, announcer.context = origin_of(context), context
    for functions, types in ((before, BEFORE), (after, AFTER)):
        for function in functions_of(functions):
            announcer.listen(CallbackReceiver(f"callback {function}", function), types)
    collector = _Collector(context, push=False)
    if xcom:
        announcer.listen(collector)
    try:
        yield
    finally:
        try:
            collector.push()
        except Exception as error:  # noqa: BLE001 - the boundary: what was profiled is committed, whatever becomes of this
            announcer.failed(collector.name, error)


def functions_of(callbacks: Callbacks) -> Sequence[Callback | str]:
    """One callback, several or none, as a sequence."""
    if callbacks is None:
        return ()
    return [callbacks] if isinstance(callbacks, str) or callable(callbacks) else callbacks


def origin_of(context: Mapping[str, Any]) -> Origin:
    """Which task a context is of; a callback of a DAG's has none."""
    instance, run = _task_instance(context), context.get("dag_run")
    if instance is None:
        return Origin(getattr(run, "dag_id", None), getattr(run, "run_id", None))
    return Origin(instance.dag_id, instance.run_id, instance.task_id, getattr(instance, "map_index", None))


class _Collector:
    """Keeps a task's events and writes them into its XCom as a whole: nothing is read from there.

    So mapped tasks, each with an XCom of its own, do not meet.
    """

    name = f"XCom {XCOM_KEY}"
    in_bulk = True
    secrets: tuple[str, ...] = ()

    def __init__(self, context: Mapping[str, Any], *, push: bool = True) -> None:
        self._context = context
        self._instance = _task_instance(context)
        self._at_once = push
        self._new = False

    def receive(self, events: Iterable[Event]) -> None:
        when = {"execution_date": _logical_date(self._context)}
        _events_of(self._instance).extend({**when, **event.as_dict()} for event in events)
        self._new = True
        if self._at_once:
            self.push()

    def push(self) -> None:
        if not self._new or self._instance is None:
            return
        events = _events_of(self._instance)
        kept = _fitting(events)
        self._instance.xcom_push(key=XCOM_KEY, value=kept)
        if len(kept) < len(events):
            self._instance.xcom_push(key=XCOM_OMITTED_KEY, value=len(events) - len(kept))


def _events_of(instance: Any) -> list[dict[str, Any]]:
    for known, events in _told:
        if known is instance:
            return events
    _told.append((instance, []))
    return _told[-1][1]


def _fitting(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    kept, size = [], 0
    for event in events[:MOST_EVENTS]:
        size += len(json.dumps(event))
        if size > MOST_BYTES:
            break
        kept.append(event)
    return kept


def _task_instance(context: Mapping[str, Any]) -> Any:
    return context.get("ti") or context.get("task_instance")


def _logical_date(context: Mapping[str, Any]) -> str | None:
    # A run that an asset started has none in Airflow 3.
    date = context.get("logical_date")
    return date.isoformat() if date is not None else None
