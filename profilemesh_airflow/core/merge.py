"""Metrics of a whole table from what is known of its partitions."""

from __future__ import annotations

import json
import math
from dataclasses import astuple, dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.profile import ColumnProfile
from profilemesh_airflow.core.table import short_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from profilemesh_airflow.core.plan import Column, MetricName

#: Metrics that can be put together from those of parts of a table.
MERGEABLE: tuple[MetricName, ...] = ("count", "null_count", "null_percent", "min", "max", "mean", "stddev")


@dataclass(frozen=True)
class ColumnState:
    """What has to be known of a column in one partition.

    :param non_null: values that are not NULL.
    :param regular: those of them that have a place in mean and standard deviation: finite numbers.
    :param low: the least value, none without one; ``high`` the greatest.
    :param mean: of the regular values; 0 without one.
    :param spread: the root of the sum of the squared differences from the mean.
    """

    non_null: int = 0
    regular: int = 0
    low: Any = None
    high: Any = None
    mean: float = 0.0
    spread: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether nothing in it has overflowed."""
        return math.isfinite(self.mean) and math.isfinite(self.spread)


@dataclass(frozen=True)
class PartitionState:
    """What is known of one partition.

    :param value: the partition's value of the key, fit for JSON; NULL is none.
    :param version: changes whenever rows of the partition do.
    :param columns: by name; empty where only the version is known.
    """

    value: Any
    version: str
    rows: int
    columns: Mapping[str, ColumnState]

    @property
    def digest(self) -> str:
        """Stands for the value."""
        return short_hash(json.dumps(self.value), 32)

    def columns_json(self) -> str:
        """The states of the columns as JSON text."""
        return json.dumps({name: astuple(state) for name, state in self.columns.items()}, allow_nan=False)

    @classmethod
    def from_json(cls, value_json: str, version: str, rows: int, columns_json: str) -> PartitionState:
        """The state whose columns :meth:`columns_json` wrote."""
        columns = {name: ColumnState(*state) for name, state in json.loads(columns_json).items()}
        return cls(json.loads(value_json), version, rows, columns)


def combine(one: ColumnState, other: ColumnState) -> ColumnState:
    """The state of two parts taken together, whichever comes first.

    Mean and spread by the parallel formula of Chan, Golub and LeVeque (1979), "Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances"; as roots, so that no square overflows.
    """
    regular = one.regular + other.regular
    share = other.regular / regular if regular else 0.0
    difference = other.mean - one.mean if one.regular and other.regular else 0.0
    first = one if one.regular else other
    return ColumnState(
        non_null=one.non_null + other.non_null,
        regular=regular,
        low=_of_both(min, one.low, other.low),
        high=_of_both(max, one.high, other.high),
        mean=first.mean + difference * share,
        spread=math.hypot(one.spread, other.spread, difference * math.sqrt(one.regular * share)),
    )


def merge_column(column: Column, names: Sequence[str], rows: int, parts: Iterable[ColumnState]) -> ColumnProfile:
    """A column of a table from the states of it in every partition.

    :param names: the metrics that are wanted, out of :data:`MERGEABLE`.
    :param rows: of the whole table.
    :raises OverflowError: a number is beyond the greatest double.
    """
    state = reduce(combine, parts, ColumnState())
    if not state.is_sound:
        raise OverflowError(f"column {column.name} has numbers that are too large to be merged")
    return ColumnProfile(column.name, column.type, {name: _METRICS[name](rows, state) for name in names})


def _of_both(choose: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    return one if other is None else other if one is None else choose(one, other)


def _deviation(_: int, state: ColumnState) -> float | None:
    return state.spread / math.sqrt(state.regular - 1) if state.regular > 1 else None


_METRICS: dict[str, Callable[[int, ColumnState], Any]] = {
    "count": lambda rows, _: rows,
    "null_count": lambda rows, state: rows - state.non_null,
    "null_percent": lambda rows, state: 100.0 * (rows - state.non_null) / rows if rows else None,
    "min": lambda _, state: state.low,
    "max": lambda _, state: state.high,
    "mean": lambda _, state: min(max(state.mean, state.low), state.high) if state.regular else None,
    "stddev": _deviation,
}
