"""The receivers of events that the configuration names."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.store import EventStore
from profilemesh_airflow.usecases.events.announcer import Subscription
from profilemesh_airflow.usecases.events.callback import AFTER, BEFORE, CallbackReceiver
from profilemesh_airflow.usecases.events.custom import CustomReceiver, secrets_in
from profilemesh_airflow.usecases.events.log import LogReceiver
from profilemesh_airflow.usecases.events.table import TableReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from profilemesh_airflow.config.hooks import HookConfig
    from profilemesh_airflow.usecases.events.announcer import Announcer, Receiver
    from profilemesh_airflow.usecases.workspace import Workspace


def subscriptions_of(workspace: Workspace, announcer: Announcer) -> list[Subscription]:
    """Who is told: the log, always, and every enabled hook. One that cannot be made is told as failed.

    :param announcer: takes note of what cannot be made.
    """
    settings = workspace.config.model.hooks
    hooks = [(f"hooks.hooks[{place}]", hook) for place, hook in enumerate(settings.hooks) if hook.enabled]
    if not settings.enabled:
        hooks = []
    logs = [Subscription(_log(name, hook), hook.events) for name, hook in hooks if hook.type == "logging"]
    found = logs or [Subscription(LogReceiver("log"))]
    for name, hook in hooks:
        if hook.type != "logging":
            found += _made(
                announcer, name, hook.events, partial(_receiver, workspace, announcer, name, hook), hook.params
            )
    if settings.enabled:
        found += [*_callbacks(announcer, "pre_profiling", settings.pre_profiling, BEFORE)]
        found += [*_callbacks(announcer, "post_profiling", settings.post_profiling, AFTER)]
    return found


def _callbacks(
    announcer: Announcer, moment: str, places: Collection[str], types: Collection[str]
) -> Iterator[Subscription]:
    for place in places:
        name = f"hooks.{moment} ({place})"
        yield from _made(announcer, name, types, partial(CallbackReceiver, name, place))


def _made(
    announcer: Announcer,
    name: str,
    types: Collection[str] | None,
    make: Callable[[], Receiver],
    params: Mapping[str, Any] | None = None,
) -> list[Subscription]:
    try:
        return [Subscription(make(), types)]
    except Exception as error:  # noqa: BLE001 - the boundary: a hook that cannot be made fails nothing else
        announcer.failed(name, error, secrets_in(params or {}))
        return []


def _receiver(workspace: Workspace, announcer: Announcer, name: str, hook: HookConfig) -> Receiver:
    if hook.type == "custom":
        return CustomReceiver(name, hook, lambda: announcer.context)
    return _table(workspace, f"{name} ({hook.type})", hook)


def _log(name: str, hook: HookConfig) -> LogReceiver:
    return LogReceiver(name, getattr(logging, hook.log_level))


def _table(workspace: Workspace, name: str, hook: HookConfig) -> TableReceiver:
    own = hook.connection is None and hook.table_name == "profilemesh_events"
    if own:
        return TableReceiver(name, lambda: workspace.store.events(workspace.identity))
    settings = workspace.storage_settings if hook.connection is None else workspace.connection(hook.connection)
    store = EventStore(settings, hook.table_name)
    workspace.keep_open(store)
    return TableReceiver(name, lambda: store.events(workspace.identity), settings.secrets())
