"""Functions that are called before and after a table is profiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from profilemesh_airflow.core.events import Event

#: Takes an event; what it returns is not used.
Callback = Callable[["Event"], Any]

#: What is told to the callbacks before, and after, a profile.
BEFORE = frozenset({"profiling_started"})
AFTER = frozenset({"profiling_completed", "profiling_failed"})


class CallbackReceiver:
    """Calls a function with every event.

    :param function: the function, or where it is: ``module:function``.
    """

    in_bulk = False
    secrets: tuple[str, ...] = ()

    def __init__(self, name: str, function: Callback | str) -> None:
        self.name = name
        self._function = load_callback(function) if isinstance(function, str) else function

    def receive(self, events: Sequence[Event]) -> None:
        """Call it."""
        for event in events:
            self._function(event)


def load_callback(place: str) -> Callback:
    """The function at ``module:function``.

    :raises ConfigError: there is no such module, or nothing in it by that name that can be called.
    """
    module, _, name = place.partition(":")
    found: Any = load_module(module, place)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"{place!r} is no function; write it as module:function, as Python finds it on a worker")
    return found  # type: ignore[no-any-return]


def load_module(module: str, what: str) -> Any:
    """Import a module that the configuration names.

    :param what: what is looked for in it, for the message.
    :raises ConfigError: it cannot be found. An error inside it is raised as it is.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise ConfigError(
            f"{what!r} cannot be loaded: there is no module {missing!r}; install it where tasks run, "
            "or put it on PYTHONPATH"
        ) from error
