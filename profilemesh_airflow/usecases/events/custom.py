"""Hooks of the user's own: a class of theirs, or one of Airflow's notifiers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.events.callback import load_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from profilemesh_airflow.config.hooks import HookConfig
    from profilemesh_airflow.core.events import Event

log = logging.getLogger(__name__)

#: What an Airflow notifier's templates call the event.
CONTEXT_KEY = "profilemesh_event"

#: Shorter texts among the parameters are taken for options, not for secrets.
_SECRET_LENGTH = 6


class CustomReceiver:
    """Hands events to an object of the class that the configuration names, made with its ``params``.

    The class has a method ``handle_event(event)``; or it is a notifier of Airflow's (method ``notify(context)``), made
    anew for each event and called with the task's context, where templates find the event as ``profilemesh_event``; or
    its objects can be called with the event.

    :param context: gives the task's context; none on the command line, where a notifier cannot be told.
    :raises ConfigError: there is no such class, it does not take ``params``, or it takes no events.
    """

    in_bulk = False

    def __init__(self, name: str, hook: HookConfig, context: Callable[[], Mapping[str, Any] | None]) -> None:
        self.name = f"{name} ({hook.module}.{hook.class_name})"
        self.secrets = tuple(secrets_in(hook.params))
        self._make = _maker(hook)
        self._context = context
        self._object = self._make()
        if not (self._is_notifier or hasattr(self._object, "handle_event") or callable(self._object)):
            raise ConfigError(f"{hook.module}.{hook.class_name} takes no events; give it a method handle_event(event)")

    @property
    def _is_notifier(self) -> bool:
        return hasattr(self._object, "notify") and not hasattr(self._object, "handle_event")

    def receive(self, events: Sequence[Event]) -> None:
        """Hand them over."""
        for event in events:
            if self._is_notifier:
                self._notify(event)
            elif hasattr(self._object, "handle_event"):
                self._object.handle_event(event)
            else:
                self._object(event)

    def _notify(self, event: Event) -> None:
        context = self._context()
        if context is None:
            log.info("%s is told by Airflow's tasks alone", self.name)
            return
        # Rendering its templates changes a notifier.
        self._make()({**context, CONTEXT_KEY: event.as_dict()})


def _maker(hook: HookConfig) -> Callable[[], Any]:
    place = f"{hook.module}.{hook.class_name}"
    found = getattr(load_module(str(hook.module), place), str(hook.class_name), None)
    if not isinstance(found, type):
        raise ConfigError(f"there is no class {hook.class_name} in module {hook.module}; check module and class_name")

    def make() -> Any:
        try:
            return found(**hook.params)
        except TypeError as error:
            raise ConfigError(f"{place} cannot be made with these params: {error}; check params") from error

    return make


def secrets_in(value: Any) -> Iterator[str]:
    """Every text of the parameters that may be one, and what an error shows of an address: its path."""
    if isinstance(value, str) and len(value) >= _SECRET_LENGTH:
        yield value
        parts = urlsplit(value)
        if parts.scheme and parts.netloc:
            yield from (part for part in (parts.password, parts.query, parts.path) if part and len(part) > 1)
    elif isinstance(value, dict):
        for item in value.values():
            yield from secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)
