"""Distinct texts counted in this process, by their hashes: for a database that runs in it, and would sort them."""

from __future__ import annotations

from array import array
from types import NoneType
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.warehouse.errors import StatementError
from profilemesh_airflow.warehouse.subject import MOST_HASHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: Rows at a time: as many as a processor's nearest memory holds.
_ROWS = 256

#: So many different hashes are kept as a set, which fits there too; of more all are kept, each in 8 bytes, and told
#: apart in the end.
_FEW = 4096

#: Hashes that are told apart at a time: another thread gets its turn in between.
_SLICE = 65_536

#: Bytes that a hash takes in a set.
_IN_A_SET = 72

_TEXTS = frozenset({str, NoneType})


class Tally:
    """The hashes of a column's texts."""

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._many: array[int] = array("q")
        self._nulls = False

    def add(self, values: Sequence[Any]) -> bool:
        """Take in some values; whether that went well: they are texts, and not too many."""
        types = set(map(type, values))
        if not types <= _TEXTS:
            return False
        self._nulls = self._nulls or NoneType in types
        if self._many:
            self._many.extend(map(hash, values))
        else:
            self._few.update(map(hash, values))
            if len(self._few) > _FEW:
                self._many.extend(self._few)
                self._few.clear()
        return len(self._many) <= MOST_HASHED

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return len(self._many) * self._many.itemsize + len(self._few) * _IN_A_SET

    def count(self) -> int:
        """How many different texts there are; they leave this tally."""
        (hashes, many), self._few, self._many = (self._few, self._many), set(), array("q")
        for start in range(0, len(many), _SLICE):
            hashes.update(many[start : start + _SLICE])
        return len(hashes) - self._nulls


def count_texts(lane: Lane, relation: Relation, subjects: Sequence[Subject], limit: int) -> None:
    """Count the distinct values of columns of texts.

    What turns out to hold anything else, or does not fit into ``limit`` bytes, is not :attr:`Subject.tallied` then.
    """
    tallies = {at: Tally() for at in range(len(subjects))}
    try:
        for rows in lane.fetch(relation.select(*(subject.value for subject in subjects)), _ROWS):
            columns = tuple(zip(*rows, strict=True))
            for at in [at for at, kept in tallies.items() if not kept.add(columns[at])]:
                del tallies[at]
            _make_room(tallies, limit)
            if not tallies:
                break
    except StatementError:
        tallies = {}
    for at, subject in enumerate(subjects):
        subject.tallied = at in tallies
        if subject.tallied:
            subject.measured["distinct"] = tallies.pop(at).count()


def _make_room(tallies: dict[int, Tally], limit: int) -> None:
    """Give up the largest until all fit, and a set of one's hashes besides."""
    while tallies:
        sizes = {at: kept.size for at, kept in tallies.items()}
        largest = max(sizes, key=sizes.__getitem__)
        if sum(sizes.values()) + sizes[largest] * _IN_A_SET // 8 <= limit:
            return
        del tallies[largest]
