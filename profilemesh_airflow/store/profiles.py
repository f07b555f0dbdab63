"""Profiles as rows: one for each metric of each column, and back without loss."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.drift.numbers import number_of
from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.core.plan import ALL_METRICS
from profilemesh_airflow.core.profile import ColumnProfile, MetricValue, TableProfile
from profilemesh_airflow.store.types import is_storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy.engine import RowMapping

    from profilemesh_airflow.core.merge import PartitionState
    from profilemesh_airflow.core.plan import PlanEntry
    from profilemesh_airflow.core.table import TableRef

#: Stands for the whole column, both as a metric's name and as an error's.
WHOLE_COLUMN = "*"

_ORDER = {name: position for position, name in enumerate(ALL_METRICS)}


@dataclass(frozen=True)
class RunRecord:
    """One table, profiled.

    :param run_id: unique; the same id again for the same table replaces what was stored under it.
    :param entry: the plan of the table as it was read before the profile began; it becomes the baseline.
    :param dag_id: the DAG in which it was profiled, if any, and its run.
    :param partitions: what is known of each partition of the table now; none where that was not found out.
    """

    run_id: str
    entry: PlanEntry
    profile: TableProfile
    worker: str | None = None
    dag_id: str | None = None
    dag_run_id: str | None = None
    partitions: tuple[PartitionState, ...] = ()


def profile_columns(profile: TableProfile) -> dict[str, Any]:
    """What a run's row says of the profile as a whole."""
    return {
        "row_count": profile.row_count,
        "column_count": len(profile.columns),
        "rows_scanned": profile.rows_scanned,
        "queries": profile.queries,
        "duration_seconds": profile.seconds,
        "bytes_scanned": profile.bytes_scanned,
        "rows_of": profile.rows_of,
        "strategy": canonical_json(dict(profile.strategy)),
        "rung": profile.rung,
        "rung_reason": profile.rung_reason,
    }


def metric_rows(
    run_id: str, ref: TableRef, columns: Iterable[ColumnProfile], profiled_at: datetime
) -> list[dict[str, Any]]:
    """The rows of a profile. A column without any metric has one too, under the name ``*``."""
    shared = {
        "run_id": run_id,
        "table_key": ref.key,
        "schema_name": ref.schema,
        "dataset_name": ref.table,
        "profiled_at": profiled_at,
    }
    return [
        {
            **shared,
            "column_position": position,
            "column_name": column.name,
            "column_type": column.type,
            "metric_name": name,
            "error": column.errors.get(name),
            "approximate": int(name in column.approximate),
            **_value_columns(column.metrics, name),
        }
        for position, column in enumerate(columns, 1)
        for name in _metric_names(column)
    ]


def columns_of(rows: Iterable[RowMapping]) -> tuple[ColumnProfile, ...]:
    """The columns that the rows of one run hold, which are sorted by position."""
    return tuple(_column_of(list(group)) for _, group in groupby(rows, itemgetter("column_position")))


def _metric_names(column: ColumnProfile) -> Iterator[str]:
    if not column.metrics and not column.errors:
        yield WHOLE_COLUMN
    yield from dict.fromkeys((*column.metrics, *column.errors))


def _column_of(rows: list[RowMapping]) -> ColumnProfile:
    rows.sort(key=lambda row: _ORDER.get(row["metric_name"], len(_ORDER)))
    metrics = {
        row["metric_name"]: _READERS[row["value_type"]](row["metric_value"]) for row in rows if row["value_type"]
    }
    errors = {row["metric_name"]: row["error"] for row in rows if row["error"] is not None}
    approximate = frozenset(row["metric_name"] for row in rows if row["approximate"])
    return ColumnProfile(rows[0]["column_name"], rows[0]["column_type"], metrics, errors, approximate)


def _value_columns(metrics: Mapping[str, MetricValue], name: str) -> dict[str, Any]:
    kind, text = _written(metrics[name]) if name in metrics else (None, None)
    return {"value_type": kind, "metric_value": text, "numeric_value": number_of(metrics.get(name))}


def _written(value: MetricValue) -> tuple[str, str | None]:
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "bool", str(value).lower()
    if isinstance(value, int | float):
        return type(value).__name__, repr(value)
    if isinstance(value, str) and is_storable(value):
        return "text", value
    return "json", json.dumps(value, allow_nan=False)


_READERS: dict[str, Callable[[str], MetricValue]] = {
    "null": lambda _: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
    "text": str,
    "json": json.loads,
}
