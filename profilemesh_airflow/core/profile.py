"""What profiling one table found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A number, text (times as ISO 8601), truth value, a histogram as a list of bins, or none where there is nothing to
#: compute from. Always fit for JSON: never NaN, never infinite.
MetricValue = Any

#: Which rows a profile is of.
RowsOf = Literal["table", "partitions", "sample"]

#: What follows a number of rows, for people.
OF_ROWS: dict[RowsOf | None, str] = {"partitions": " of some partitions", "sample": " of a sample"}

#: How much of the work of a profile was done, from the least to the most.
Rung = Literal["nothing", "metadata", "partitions", "sample", "full"]


@dataclass(frozen=True)
class ColumnProfile:
    """The metrics of one column.

    :param metrics: values by metric name; percentages run from 0 to 100.
    :param errors: by metric name, why it could not be computed; the key ``*`` stands for the whole column.
    :param approximate: the names of the metrics whose values are approximations.
    """

    name: str
    type: str
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    approximate: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TableProfile:
    """The metrics of one table, and what they cost.

    :param queries: statements sent to the database for it.
    :param rows_scanned: rows read, over all scans.
    :param seconds: wall-clock time.
    :param bytes_scanned: bytes read, over all scans, by the catalog's estimate; none where it has none.
    :param rows_of: what ``row_count`` and the metrics are of: the table, some partitions of it, or a sample.
    :param strategy: how it was computed, fit for JSON: the engine, and the choices for its columns that matter.
    :param rung: how much of the work was done, from nothing to all.
    :param rung_reason: why that much.
    """

    row_count: int
    columns: tuple[ColumnProfile, ...]
    queries: int
    rows_scanned: int
    seconds: float
    bytes_scanned: int | None = None
    rows_of: RowsOf = "table"
    strategy: Mapping[str, Any] = field(default_factory=dict)
    rung: Rung = "full"
    rung_reason: str | None = None
