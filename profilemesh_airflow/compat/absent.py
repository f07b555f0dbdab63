"""What older releases of Airflow do not have, so far as this package can stand in for it.

Each class says from which release on Airflow's own takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Asset:
    """Before 2.4 there are no Datasets: an identity, which :func:`outlets` takes out of a task's outlets.

    :param uri: the identity; ``name`` is the same.
    """

    uri: str
    name: str = ""


@dataclass(frozen=True)
class AssetAlias:
    """Before 2.10 there is no alias: a name, which :func:`outlets` takes out of a task's outlets."""

    name: str


class BaseNotifier:
    """Before 2.6 there are no notifiers: a callback that calls :meth:`notify`. It renders no templates."""

    template_fields: tuple[str, ...] = ()

    def notify(self, context: Any) -> None:
        """Send the message; a subclass does."""
        raise NotImplementedError(f"{type(self).__name__} has to define notify(context)")

    def __call__(self, context: Any) -> None:
        """As a callback of a DAG or task."""
        self.notify(context)


@dataclass(frozen=True)
class _ParsingContext:
    dag_id: str | None = None
    task_id: str | None = None


def get_parsing_context() -> _ParsingContext:
    """Before 2.4 Airflow does not say for which DAG it parses a file: for all, then."""
    return _ParsingContext()
