"""What profiling one table found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A number, text (times as ISO 8601), truth value, a histogram as a list of bins, or none where there is nothing to
#: compute from. Always fit for JSON: never NaN, never infinite.
MetricValue = Any


@dataclass(frozen=True)
class ColumnProfile:
    """The metrics of one column.

    :param metrics: values by metric name; percentages run from 0 to 100.
    :param errors: by metric name, why it could not be computed; the key ``*`` stands for the whole column.
    """

    name: str
    type: str
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TableProfile:
    """The metrics of one table, and what they cost.

    :param queries: statements sent to the database for it.
    :param rows_scanned: rows read, over all scans.
    :param seconds: wall-clock time.
    """

    row_count: int
    columns: tuple[ColumnProfile, ...]
    queries: int
    rows_scanned: int
    seconds: float
