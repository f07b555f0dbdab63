"""Rows that are drawn while the first scan goes on: eight bytes a column and row, all in one string.

What :mod:`~profilemesh_airflow.warehouse.estimates` needs of some rows is then computed here, and the table is not read
again. For the databases that can make such a string.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from functools import partial
from math import fsum
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from profilemesh_airflow.warehouse.double import as_double
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.scan import Target
from profilemesh_airflow.warehouse.subject import DISTINCT, SHAPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.errors import StatementError
    from profilemesh_airflow.warehouse.shape import Shape
    from profilemesh_airflow.warehouse.subject import Subject

    Values: TypeAlias = Sequence[int] | Sequence[float]

#: The bytes that stand for NULL: as a double NaN, which no column has whose shape is asked for.
NULL = "7ff8000000000001"
_NULL = int(NULL, 16)


class Drawn:
    """The rows that were drawn.

    :param rate: one row in how many.
    """

    def __init__(self, dialect: Dialect, rate: int) -> None:
        self._dialect = dialect
        self._rate = rate
        self._values: dict[Subject, Values] = {}

    def targets(self, subjects: Iterable[Subject], parts: int) -> list[Target]:
        """What the first scan is asked besides, in so many parts; nothing where the database cannot."""
        fields = [(subject, field) for subject in subjects if (field := self._field(subject)) is not None]
        found = []
        for part in range(min(parts, len(fields))):
            some = fields[part::parts]
            carried = self._dialect.carry([field for _, field in some], self._rate, NULL)
            if carried is not None:
                found.append(Target(carried, partial(self._keep, [subject for subject, _ in some]), _look_again))
        return found

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._values

    def distinct(self, subject: Subject) -> int:
        """How many different values a column has in these rows."""
        return len(set(self._values[subject]))

    def shape(self, subject: Subject, shape: Shape) -> Mapping[str, Any]:
        """What :meth:`Shape.aggregates` asks for."""
        values = sorted(self._values[subject])
        scaled = [shape.frame.scale(float(value)) for value in values]
        return {
            "values": len(values),
            "z": fsum(scaled),
            "zz": fsum(each * each for each in scaled),
            **{f"below_{at}": bisect_left(values, edge) for at, edge in enumerate(shape.edges[1:-1], start=1)},
        }

    def _field(self, subject: Subject) -> sa.ColumnElement[Any] | None:
        """Eight bytes of a column of which something is wanted: numbers as they are, of all else a hash."""
        if not subject.wanted & (DISTINCT | SHAPE):
            return None
        if subject.kind is Kind.INTEGER:
            return sa.cast(subject.value, sa.BigInteger)
        if subject.kind.numeric:
            return as_double(subject.value)
        return self._dialect.value_hash(subject.value, subject.column, subject.kind)

    def _keep(self, subjects: Sequence[Subject], rows: Any) -> None:
        packed = b"" if rows is None else bytes(rows)
        whole, double = _numbers("q", packed), _numbers("d", packed)
        for at, subject in enumerate(subjects):
            if subject.kind.numeric and subject.kind is not Kind.INTEGER:
                self._values[subject] = [value for value in double[at :: len(subjects)] if value == value]
            else:
                self._values[subject] = [value for value in whole[at :: len(subjects)] if value != _NULL]


def _numbers(kind: str, packed: bytes) -> array[Any]:
    numbers: array[Any] = array(kind, packed)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _look_again(_: StatementError) -> None:
    """Rows that could not be carried are looked at by a statement of their own."""
