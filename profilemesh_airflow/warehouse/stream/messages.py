"""What this process and the one that reads SQLite files say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profilemesh_airflow.warehouse.stream.source import Wish


@dataclass(frozen=True)
class Request:
    """Columns to read and measure.

    :param parts: statements that select them as ``c0``, ``c1`` and so on, and have all rows between them.
    :param limit: the bytes that may be kept of them.
    """

    parts: tuple[str, ...]
    wishes: tuple[Wish, ...]
    limit: float
    bins: int


@dataclass(frozen=True)
class Refusal:
    """The answer where there is none: why."""

    reason: str
