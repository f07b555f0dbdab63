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
    :raises ValueError: a limit is below 1, under which nothing would ever be rung.
    """

    tables: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and limit < 1:
                raise ValueError(f"a budget of {limit} {name} would let nothing be rung; it must be at least 1")

    def split(self, due: Iterable[LedgerEntry]) -> tuple[list[LedgerEntry], list[LedgerEntry]]:
        """The changes to ring, and those that have to wait, both in the order of the queue.

        The first in the queue is rung whatever its size, and a smaller one may pass one that no longer fits. Nothing
        starves all the same. Let at most N changes be open at a time, and let priorities be from -10 to 10. Then a
        change is deferred at most N + 20 times in a row, whatever else comes, however large, and however often others
        are due again. (With a limit of T tables alone it is (N - 1) / T + 21 times.)

        The reason: call urgency + 10 a change's level. It is 0 to 21 without deferrals (21 is a forced one's), each
        deferral adds 1, and a ring takes it back below 22. At most N - j changes are ever at level 21 + j or above.
        That is plain for j = 0. A refresh brings changes there only from level 20 + j, where at most N - j + 1 are; and
        if it looks at one that is so high, the head of its queue is so high too, and is rung. So no level is above
        N + 20.

        Where priorities are edited, or other changes are forced, while a change waits, the bound is 22 N - 1: what is
        rung then was deferred at most 21 times less than what has to wait, and the same argument holds for blocks of
        22 deferrals. A refresh that dies before it rings adds one to each bound.
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
