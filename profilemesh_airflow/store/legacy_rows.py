"""What the rows of the earlier integration mean. Values in, values out; :mod:`.legacy` asks the database.

A run of several tables has one row a table in its runs table, but where two schemas have a table of the same name the
second one's row is missing. A task that was retried has its metric rows twice or more. A column whose statistics failed
has the one metric ``error``. Times are without a zone, and mean UTC.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isfinite
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.profile import ColumnProfile, MetricValue
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store.history import COMPLETED, FAILED
from profilemesh_airflow.store.profiles import WHOLE_COLUMN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    Row = Mapping[str, Any]

#: The metric that stands for a column which could not be profiled; its value is the error.
ERROR_METRIC = "error"

#: One table in one run.
RunTable = tuple[str, TableRef]

_INTEGER = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TEXT_TYPE = re.compile("char|text|string|clob", re.IGNORECASE)
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[ T](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d+))?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_BIN = {"bin_start", "bin_end", "count"}

#: Stands for the run row that is missing.
_NO_ROW: Mapping[str, Any] = dict.fromkeys(("profiled_at", "environment", "status", "row_count"))


@dataclass(frozen=True)
class Head:
    """One run of one table, without its metrics.

    :param attempt: the time of the metric rows that count: those of the last attempt, where the run was retried.
    """

    run_id: str
    ref: TableRef
    environment: str
    profiled_at: datetime
    attempt: datetime | None
    status: str
    row_count: int | None


def table_of(row: Row) -> RunTable:
    """The run and the table that a row of either table belongs to; an empty name where it has none."""
    names = (row["run_id"], row["dataset_name"], row["schema_name"])
    run_id, table, schema = ("" if name is None else str(name) for name in names)
    return run_id, TableRef(table, schema)


def heads_of(
    run_rows: Iterable[Row], metric_rows: Iterable[Row], environment_rows: Iterable[Row]
) -> dict[RunTable, Head | str]:
    """Every run of every table that the rows tell of; where one cannot be understood, why.

    :param metric_rows: all of them, or one for each time that the metric rows of a table in a run have.
    :param environment_rows: the environments of the runs, for a table that has no run row of its own.
    """
    runs = {table_of(row): row for row in sorted(run_rows, key=lambda row: _sortable(moment_of(row["profiled_at"])))}
    attempts: defaultdict[RunTable, set[datetime | None]] = defaultdict(set)
    for row in metric_rows:
        attempts[table_of(row)].add(moment_of(row["profiled_at"]))
    environments: defaultdict[str, set[str]] = defaultdict(set)
    for row in environment_rows:
        environments[str(row["run_id"])].update([str(row["environment"])] if row["environment"] else ())
    return {
        key: _head(key, runs.get(key, _NO_ROW), attempts.get(key, ()), environments[key[0]])
        for key in {**runs, **attempts}
    }


def _head(key: RunTable, row: Row, attempts: Collection[datetime | None], environments: Collection[str]) -> Head | str:
    run_id, ref = key
    attempt = max(attempts, key=_sortable, default=None)
    profiled_at = moment_of(row["profiled_at"]) or attempt
    # Without a row of its own, it is in the environment of what was profiled in the same run.
    environment = row["environment"] or (next(iter(environments)) if len(environments) == 1 else None)
    if not run_id or not ref.table:
        return f"it has no {'table name' if run_id else 'run_id'}"
    if environment is None:
        return "no run row says which environment it is of"
    if profiled_at is None:
        return "its time cannot be read"
    return Head(run_id, ref, str(environment), profiled_at, attempt, _status(row["status"]), _whole(row["row_count"]))


def _sortable(moment: datetime | None) -> datetime:
    return moment or datetime.min.replace(tzinfo=timezone.utc)


def _status(text: Any) -> str:
    # It wrote a run only when a table was profiled, so no status at all is a good one.
    return COMPLETED if text is None or str(text).lower() in ("", "completed", "success") else FAILED


def _whole(value: Any) -> int | None:
    number = number_of(value)
    return None if number is None else int(number)


def is_of_attempt(row: Row, head: Head) -> bool:
    """Whether a metric row counts: it is of the run's last attempt."""
    return moment_of(row["profiled_at"]) == head.attempt


def is_named(row: Row) -> bool:
    """Whether a metric row says which metric of which column it is."""
    return bool(row["column_name"] and row["metric_name"])


def columns_from(rows: Iterable[Row]) -> tuple[ColumnProfile, ...]:
    """The columns that metric rows tell of, in the order in which they come; the last of equal rows counts."""
    types: dict[str, str] = {}
    metrics: defaultdict[str, dict[str, MetricValue]] = defaultdict(dict)
    errors: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in filter(is_named, rows):
        column, metric, value = str(row["column_name"]), str(row["metric_name"]).strip(), row["metric_value"]
        types[column] = "" if row["column_type"] is None else str(row["column_type"])
        if metric == ERROR_METRIC:
            errors[column][WHOLE_COLUMN] = str(value) if value else "the earlier integration kept no message"
        else:
            metrics[column][metric] = value_of(metric, value, types[column])
    return tuple(ColumnProfile(name, kind, metrics[name], errors[name]) for name, kind in types.items())


def row_count_of(head: Head, columns: Iterable[ColumnProfile]) -> int | None:
    """The table's rows: as the run says, or else as its columns were counted; none where nothing says it."""
    if head.row_count is not None:
        return head.row_count
    return max((count for column in columns if isinstance(count := column.metrics.get("count"), int)), default=None)


def value_of(metric: str, stored: Any, column_type: str) -> MetricValue:
    """A metric's value from the text that stands for it: a number where it is one, a histogram where it parses.

    The least and the greatest text of a text column stay text.
    """
    bins = _bins_of(stored) if metric == "histogram" else None
    if bins is not None or stored is None:
        return bins
    if metric in ("min", "max") and _TEXT_TYPE.search(column_type):
        return str(stored)
    number = number_of(stored)
    return str(stored) if number is None else number


def number_of(stored: Any) -> int | float | None:
    """The finite number that a value is, or that its text spells; else none."""
    text = "" if stored is None or isinstance(stored, bool) else str(stored)
    try:
        if _INTEGER.fullmatch(text):
            return int(text)
    except ValueError:  # more digits than Python takes
        return None
    if not _REAL.fullmatch(text) or not isfinite(number := float(text)):
        return None
    return number


def _bins_of(stored: Any) -> list[dict[str, Any]] | None:
    try:
        bins = json.loads(stored)
    except (TypeError, ValueError, RecursionError):
        return None
    return bins if isinstance(bins, list) and all(map(_is_bin, bins)) else None


def _is_bin(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() >= _BIN:
        return False
    numbers = [
        value[name] for name in _BIN if isinstance(value[name], int | float) and number_of(value[name]) is not None
    ]
    return len(numbers) == len(_BIN) and isinstance(value["count"], int) and value["count"] >= 0


def moment_of(stored: Any) -> datetime | None:
    """The moment that a time means, in UTC: a value of the driver's, or ISO text; none where it cannot be read.

    Without a zone it is UTC.
    """
    moment = _parsed(stored) if isinstance(stored, str) else stored
    if not isinstance(moment, datetime):
        return None
    try:
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except OverflowError:
        return None


def _parsed(text: str) -> datetime | None:
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        return None
    # Python 3.10 reads fewer spellings of ISO 8601 than there are: it wants six digits, and the minutes of a zone.
    zone = (found["zone"] or "Z").upper().replace(":", "")
    offset = "+00:00" if zone == "Z" else f"{zone[:3]}:{zone[3:] or '00'}"
    fraction = (found["fraction"] or "0")[:6].ljust(6, "0")
    time = (found["time"] or "00:00").ljust(8)[:8].replace("   ", ":00")
    try:
        return datetime.fromisoformat(f"{found['day']}T{time}.{fraction}{offset}")
    except ValueError:
        return None
