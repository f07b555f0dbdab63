"""From what was measured to the metrics of the format."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.plan import METRICS
from profilemesh_airflow.core.profile import ColumnProfile
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.subject import Subject

#: Where each metric comes from: what has to be measured for it, then what an earlier failure may have been called.
_SOURCES: dict[str, tuple[str, ...]] = {
    "null_count": ("non_null",),
    "null_percent": ("non_null",),
    "distinct_count": ("distinct",),
    "distinct_percent": ("distinct",),
    "min": ("low",),
    "max": ("high",),
    "mean": ("mean", "average", "low", "high"),
    "stddev": ("stddev", "low", "high"),
    "histogram": ("histogram", "low", "high"),
    "min_length": ("min_length",),
    "max_length": ("max_length",),
    "avg_length": ("avg_length",),
}


def column_profile(subject: Subject, rows: int, dialect: Dialect) -> ColumnProfile:
    """The metrics of one column of ``rows`` rows, each with a value or an error."""
    metrics: dict[str, Any] = {}
    errors: dict[str, str] = {}
    if subject.kind is Kind.NONE:
        errors["*"] = f"not profiled: {_type_of(subject)}"
    for metric in METRICS:
        if metric not in subject.wanted:
            continue
        sources = _SOURCES.get(metric, ())
        if sources and sources[0] not in subject.measured:
            errors[metric] = next(subject.failed[name] for name in sources if name in subject.failed)
        else:
            value = subject.measured[sources[0]] if sources else None
            metrics[metric] = _VALUES[metric](value, rows, subject, dialect)
    return ColumnProfile(name=subject.column.name, type=subject.column.type, metrics=metrics, errors=errors)


def _type_of(subject: Subject) -> str:
    return f"type {subject.column.type}" if subject.column.type else "no declared type, and values of several kinds"


def _percent(part: int, rows: int) -> float | None:
    return 100.0 * part / rows if rows else None


def _extreme(value: Any, _: int, subject: Subject, dialect: Dialect) -> Any:
    if subject.kind is Kind.TEMPORAL:
        return dialect.temporal(value)
    if isinstance(value, Decimal):
        return int(value) if subject.column.type.endswith(",0)") else float(value)
    return value


def _float(value: Any, *_: Any) -> float | None:
    return None if value is None else float(value)


def _same(value: Any, *_: Any) -> Any:
    return value


_VALUES: dict[str, Callable[[Any, int, Subject, Dialect], Any]] = {
    "count": lambda _, rows, *__: rows,
    "null_count": lambda non_null, rows, *_: rows - non_null,
    "null_percent": lambda non_null, rows, *_: _percent(rows - non_null, rows),
    "distinct_count": _same,
    "distinct_percent": lambda distinct, rows, *_: _percent(distinct, rows),
    "min": _extreme,
    "max": _extreme,
    "mean": _float,
    "stddev": _float,
    "histogram": _same,
    "min_length": _same,
    "max_length": _same,
    "avg_length": _float,
}
