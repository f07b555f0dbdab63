"""Histogram, mean and standard deviation of numbers as plain aggregates, so that many columns share one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.warehouse.bins import bin_edges
from profilemesh_airflow.warehouse.double import DOUBLE, as_double
from profilemesh_airflow.warehouse.moments import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.warehouse.subject import Subject


@dataclass(frozen=True)
class Shape:
    """What is asked of a column whose extremes are known, and what the answer means."""

    edges: tuple[float, ...]
    frame: Frame

    @classmethod
    def of(cls, subject: Subject, bins: int, digits: int | None) -> Shape:
        """For a column that the first scan has measured; ``digits`` as of :meth:`Frame.of`."""
        return cls(edges_of(subject, bins), frame_of(subject, digits))

    def aggregates(self, value: Any, number: Any = None) -> dict[str, sa.ColumnElement[Any]]:
        """How many values there are, how many lie below each inner edge, and their scaled sums.

        :param number: how often each value counts; none means once.
        """
        double: Any = as_double(value)
        scaled: Any = self.frame.scaled(self.frame.difference(value))
        times, one = (scaled, sa.literal_column("1")) if number is None else (number * scaled, number)

        def how_many(condition: Any) -> Any:
            return sa.func.sum(sa.case((condition, one), else_=sa.literal_column("0")))

        return {
            "values": sa.func.count(value) if number is None else how_many(value.is_not(None)),
            "z": sa.func.sum(times),
            "zz": sa.func.sum(times * scaled),
            **{
                f"below_{at}": how_many(double < sa.literal(edge, DOUBLE))
                for at, edge in enumerate(self.edges[1:-1], start=1)
            },
        }

    def read(self, found: Mapping[str, Any]) -> tuple[dict[int, int], float, float]:
        """How many values lie in each bin, and the two sums, out of the results of :meth:`aggregates`."""
        inner = [int(found[f"below_{at}"] or 0) for at in range(1, len(self.edges) - 1)]
        upto = [0, *inner, int(found["values"] or 0)]
        counts = {at: upto[at + 1] - upto[at] for at in range(len(upto) - 1)}
        return counts, float(found["z"] or 0.0), float(found["zz"] or 0.0)


def edges_of(subject: Subject, bins: int) -> tuple[float, ...]:
    """The edges of the bins of a column whose extremes are known; of one bin where no histogram is wanted."""
    bins = bins if "histogram" in subject.wanted else 1
    return bin_edges(subject.measured["low"], subject.measured["high"], bins)


def keep_deviation(subject: Subject, frame: Frame, count: int, total: float, squares: float) -> None:
    """Write down the standard deviation, or why a double cannot hold it; the sums are those of scaled values."""
    try:
        subject.measured["stddev"] = frame.deviation(count, total, squares)
    except OverflowError as error:
        subject.failed["stddev"] = str(error)


def frame_of(subject: Subject, digits: int | None) -> Frame:
    """How the values of a column whose extremes are known are shifted and scaled."""
    measured = subject.measured
    return Frame.of(subject.kind, measured["low"], measured["high"], measured.get("average"), digits)
