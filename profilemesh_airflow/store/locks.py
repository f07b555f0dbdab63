"""Locking changes: by their primary key and in its order, so that no two transactions wait for each other crosswise.

InnoDB locks a row twice, in the index by which it is looked up and in the primary key. Two that come to one row by two
indexes may each hold what the other one wants next; with one index and one order nobody does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, RowMapping

T = TypeVar("T")

#: The most values that one statement compares a column with.
MOST_KEYS = 1000


def lock_changes(connection: Connection, changes: Table, sequences: Iterable[int]) -> list[RowMapping]:
    """The changes with these sequence numbers in their order, kept from others until the transaction ends.

    Their numbers were read without a lock, so what else was asked of them is to be looked at once more.
    """
    query = select(changes).order_by(changes.c.sequence).with_for_update()
    return [
        row
        for part in parts(sorted(sequences))
        for row in connection.execute(query.where(changes.c.sequence.in_(part))).mappings()
    ]


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in lists of :data:`MOST_KEYS` at most."""
    for start in range(0, len(items), MOST_KEYS):
        yield items[start : start + MOST_KEYS]
