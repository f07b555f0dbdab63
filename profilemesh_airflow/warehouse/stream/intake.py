"""Columns that arrive: keeping them as far as memory goes, from several readers at once, and measuring them."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from profilemesh_airflow.warehouse.stream.columns import column_of, empty_column
from profilemesh_airflow.warehouse.stream.measure import measure
from profilemesh_airflow.warehouse.stream.source import Findings, Found, UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    import polars as pl

    from profilemesh_airflow.warehouse.stream.columns import AnyColumn
    from profilemesh_airflow.warehouse.stream.source import Batch, Wish

    Part: TypeAlias = Callable[[Any, "Intake"], None]

T = TypeVar("T")


class Crew(Protocol):
    """Does work on several threads; each piece is given the connection of its thread."""

    def __call__(self, work: Iterable[Callable[[Any], T]]) -> list[T]:
        """The results, in order."""


class Intake:
    """What one reader brought of each column, by its place.

    :param limit: the bytes that it may keep; where columns do not fit, the largest are put off.
    """

    def __init__(self, wishes: Sequence[Wish], limit: float) -> None:
        self._wishes = wishes
        self._limit = limit
        self._wanted = list(range(len(wishes)))
        self.rows = 0
        self.columns: dict[int, AnyColumn] = {}
        self.unfit: dict[int, str] = {}
        self.put_off: set[int] = set()

    @property
    def done(self) -> bool:
        """Whether nothing of what may come is wanted."""
        return not self._wanted

    def read(self, batches: Generator[Batch]) -> None:
        """Take in what comes, until it ends or nothing of it is wanted any more."""
        with closing(batches):
            for batch in batches:
                self.take(batch)
                if self.done:
                    break

    def take(self, batch: Batch) -> None:
        """Take in some rows."""
        self.rows += batch.rows
        for place in self._wanted[:]:
            self._guarded(place, partial(self._add, place, batch.columns[place]))
        while sum(column.size for column in self.columns.values()) > self._limit:
            largest = max(self.columns, key=lambda place: self.columns[place].size)
            self.put_off.add(largest)
            self._drop(largest)

    def merge(self, other: Intake) -> None:
        """Take over what another reader brought."""
        self.rows += other.rows
        self.unfit |= other.unfit
        self.put_off |= other.put_off
        for place, column in other.columns.items():
            mine = self.columns.setdefault(place, column)
            if mine is not column:
                self._guarded(place, partial(mine.merge, column))
        for place in {*self.unfit, *self.put_off}:
            self.columns.pop(place, None)

    def _add(self, place: int, values: pl.Series | UnfitError) -> None:
        if isinstance(values, UnfitError):
            raise values
        if place not in self.columns:
            self.columns[place] = column_of(self._wishes[place], values.dtype)
        self.columns[place].add(values)

    def _guarded(self, place: int, step: Callable[[], None]) -> None:
        try:
            step()
        except UnfitError as reason:
            self.unfit[place] = str(reason)
            self._drop(place)

    def _drop(self, place: int) -> None:
        if place in self._wanted:
            self._wanted.remove(place)
        self.columns.pop(place, None)


def look_through(
    crew: Crew,
    parts: Sequence[Part],
    wishes: Sequence[Wish],
    limit: float,
    bins: int,
) -> Findings:
    """Read all parts at once, then measure the columns.

    :param parts: each brings some of the rows.
    """

    def taken_in(part: Part, by: Any) -> Intake:
        intake = Intake(wishes, limit / len(parts))
        part(by, intake)
        return intake

    everything, *others = crew(partial(taken_in, part) for part in parts)
    while others:
        everything.merge(others.pop())
    findings = Findings(
        everything.rows, unfit=everything.unfit, put_off=sorted(everything.put_off - {*everything.unfit})
    )
    places = [place for place in range(len(wishes)) if place not in {*findings.unfit, *findings.put_off}]

    def measured(place: int, _: Any) -> Found | UnfitError:
        column = everything.columns.pop(place, None) or empty_column(wishes[place])
        try:
            return measure(column, bins)
        except UnfitError as reason:
            return reason

    results = crew(partial(measured, place) for place in places)
    for place, result in zip(places, results, strict=True):
        if isinstance(result, UnfitError):
            findings.unfit[place] = str(result)
        else:
            findings.found[place] = result
    return findings
