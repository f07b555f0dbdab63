"""From what was measured to the metrics of the format."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.plan import ALL_METRICS
from profilemesh_airflow.core.profile import ColumnProfile
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.subject import PLAIN, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.subject import Subject

#: Types of whole numbers for which a driver gives decimals: of no decimals, and MySQL's that is read as such.
_WHOLE = re.compile(r",\s*0\)|^bigint", re.IGNORECASE)
#: Characters of a text that are kept of it.
LONGEST_TEXT = 256

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
    **{name: (name, "low", "high") for name in ("top_values", *QUANTILES)},
    **{name: (name,) for name in PLAIN},
}


def column_profile(subject: Subject, rows: int, dialect: Dialect) -> ColumnProfile:
    """The metrics of one column of ``rows`` rows, each with a value or an error."""
    metrics: dict[str, Any] = {}
    errors: dict[str, str] = {}
    if subject.kind is Kind.NONE:
        errors["*"] = f"not profiled: {_type_of(subject)}"
    for metric in ALL_METRICS:
        if metric not in subject.wanted:
            continue
        sources = _SOURCES.get(metric, ())
        if sources and sources[0] not in subject.measured:
            errors[metric] = next(subject.failed[name] for name in sources if name in subject.failed)
        else:
            value = subject.measured[sources[0]] if sources else None
            metrics[metric] = _VALUES[metric](value, rows, subject, dialect)
    approximate = frozenset(subject.approximated & metrics.keys())
    column = subject.column
    return ColumnProfile(column.name, column.type, metrics, errors, approximate)


def _type_of(subject: Subject) -> str:
    return f"type {subject.column.type}" if subject.column.type else "no declared type, and values of several kinds"


def _percent(part: int, rows: int) -> float | None:
    return 100.0 * part / rows if rows else None


def extreme(value: Any, _: int, subject: Subject, dialect: Dialect) -> Any:
    """A minimum or maximum, fit for JSON."""
    if subject.kind is Kind.TEMPORAL:
        return dialect.temporal(value)
    if isinstance(value, Decimal):
        return int(value) if _WHOLE.search(subject.column.type) else float(value)
    return value


def _float(value: Any, *_: Any) -> float | None:
    return None if value is None else float(value)


def _text(value: str | None, *_: Any) -> str | None:
    return value if value is None or len(value) <= LONGEST_TEXT else f"{value[: LONGEST_TEXT - 1]}…"


def _top_values(values: Sequence[tuple[Any, int]], rows: int, subject: Subject, dialect: Dialect) -> Any:
    form = _FORMS.get(subject.kind, extreme)
    return [{"value": form(value, rows, subject, dialect), "count": count} for value, count in values]


def _same(value: Any, *_: Any) -> Any:
    return value


#: How a value is shown; that of another kind as a minimum is.
_FORMS: dict[Kind, Callable[[Any, int, Subject, Dialect], Any]] = {
    Kind.TEXT: _text,
    Kind.OPAQUE: lambda value, *_: _text(f"0x{value.hex()}" if isinstance(value, bytes) else str(value)),
    Kind.BOOLEAN: lambda value, *_: bool(value) if value in (0, 1) else value,
}

_VALUES: dict[str, Callable[[Any, int, Subject, Dialect], Any]] = {
    "count": lambda _, rows, *__: rows,
    "null_count": lambda non_null, rows, *_: rows - non_null,
    "null_percent": lambda non_null, rows, *_: _percent(rows - non_null, rows),
    "distinct_count": _same,
    "distinct_percent": lambda distinct, rows, *_: _percent(distinct, rows),
    "min": extreme,
    "max": extreme,
    "mean": _float,
    "stddev": _float,
    "histogram": _same,
    "min_length": _same,
    "max_length": _same,
    "avg_length": _float,
    **dict.fromkeys(QUANTILES, extreme),
    **dict.fromkeys(PLAIN, _same),
    "min_text": _text,
    "max_text": _text,
    "top_values": _top_values,
}
