"""What one refresh may ring, and in which order changes come to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.core.ledger import LedgerEntry


@dataclass(frozen=True)
class Budget:
    """The most that one refresh may ring, so that a large change does not start everything at once.

    :param tables: how many tables; none is no limit.
    :param bytes: their size together, by the catalog's estimate; none is no limit. A table of unknown size counts for
        nothing.
    """

    tables: int | None = None
    bytes: int | None = None

    def split(self, due: Iterable[LedgerEntry]) -> tuple[list[LedgerEntry], list[LedgerEntry]]:
        """The changes to ring, and those that have to wait, both in the order of the queue.

        The first in the queue is rung whatever its size, and a smaller one may pass one that no longer fits. Nothing
        starves all the same: each deferral moves a change up, and whatever is at the head is rung.
        """
        rung: list[LedgerEntry] = []
        deferred: list[LedgerEntry] = []
        spent = 0
        for entry in queue(due):
            size = entry.estimated_bytes or 0
            enough = self.tables is None or len(rung) < self.tables
            if enough and (not rung or self.bytes is None or spent + size <= self.bytes):
                rung.append(entry)
                spent += size
            else:
                deferred.append(entry)
        return rung, deferred


def queue(entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """The changes in the order in which a budget is spent on them: by urgency, then by age."""
    return sorted(entries, key=lambda entry: (-entry.urgency, entry.detected_at, entry.key))
