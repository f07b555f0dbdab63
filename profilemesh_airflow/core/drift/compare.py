"""The metrics of a run against those of the runs before it, each column by its own strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profilemesh_airflow.core.drift.absolute import moved
from profilemesh_airflow.core.drift.deviation import deviated
from profilemesh_airflow.core.drift.distribution import DISTRIBUTIONS, shifted
from profilemesh_airflow.core.drift.histogram import histogram_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from profilemesh_airflow.core.drift.findings import DriftFinding
    from profilemesh_airflow.core.drift.rules import ColumnRules, DriftRules
    from profilemesh_airflow.core.profile import ColumnProfile, MetricValue

#: What a histogram tells of the values, and more: not compared where histograms are.
_OF_THE_VALUES = ("min", "max", "mean", "stddev", "p05", "p25", "p50", "p75", "p95")
_OF_THE_REST = ("null_percent", "distinct_percent", "min_length", "max_length", "avg_length")

#: Metrics that are compared, column by column; none grows with the table. The row count is compared for the table.
COMPARED_METRICS = (*_OF_THE_REST, *_OF_THE_VALUES)


@dataclass(frozen=True)
class Snapshot:
    """What drift compares: one run's row count, if it is known, and columns."""

    row_count: int | None
    columns: Sequence[ColumnProfile]


def metrics_for(rules: DriftRules) -> tuple[str, ...]:
    """The metrics of earlier runs that are needed for comparing."""
    return (*COMPARED_METRICS, *(("histogram", "distinct_count") if rules.strategies & set(DISTRIBUTIONS) else ()))


def find_drift(latest: Snapshot, earlier: Sequence[Snapshot], rules: DriftRules) -> Iterator[DriftFinding]:
    """Every metric of a run that moved by at least the lowest threshold of its strategy.

    Of the row count, and of the columns that the last run had too, what is a number in both.

    :param earlier: the runs before it, newest first.
    """
    if not earlier:
        return
    counts = [{"count": each.row_count} for each in earlier]
    yield from _numbers(None, ("count",), {"count": latest.row_count}, counts, rules.metrics)
    by_name = [{column.name: column.metrics for column in each.columns} for each in earlier]
    for column in latest.columns:
        own = rules.of_column(column.name)
        if own.enabled and column.name in by_name[0]:
            past = [columns.get(column.name, {}) for columns in by_name]
            yield from _column(column.name, column.metrics, past, own)


def _column(
    name: str, now: Mapping[str, MetricValue], past: Sequence[Mapping[str, MetricValue]], rules: ColumnRules
) -> Iterator[DriftFinding]:
    names: Sequence[str] = COMPARED_METRICS
    if rules.strategy in DISTRIBUTIONS:
        both = (past[0], now)
        before, after = (histogram_of(each.get("histogram"), each.get("distinct_count")) for each in both)
        if before and after:
            found = shifted(name, before, after, rules)
            yield from (found,) if found else ()
            names = _OF_THE_REST
    yield from _numbers(name, names, now, past, rules)


def _numbers(
    column: str | None,
    names: Sequence[str],
    now: Mapping[str, MetricValue],
    past: Sequence[Mapping[str, MetricValue]],
    rules: ColumnRules,
) -> Iterator[DriftFinding]:
    for name in names:
        if rules.strategy == "standard_deviation":
            found = deviated(column, name, [metrics.get(name) for metrics in past], now.get(name), rules)
        else:
            found = moved(column, name, past[0].get(name), now.get(name), rules.absolute_threshold)
        yield from (found,) if found else ()
