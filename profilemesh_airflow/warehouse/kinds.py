"""Which metrics a column can have: its kind, whatever the database calls its type."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What the values of a column are, as far as profiling goes."""

    #: Exact whole numbers of at most 64 bits.
    INTEGER = "integer"
    #: Exact decimal numbers of any size.
    DECIMAL = "decimal"
    #: Binary floating point.
    FLOAT = "float"
    #: Whole and floating-point numbers mixed, as in a dynamically typed database.
    NUMBER = "number"
    TEXT = "text"
    #: Dates, times and timestamps.
    TEMPORAL = "temporal"
    BOOLEAN = "boolean"
    #: Values that can be told apart, and no more: UUIDs, enumerations, network addresses.
    OPAQUE = "opaque"
    #: No declared type: what is stored decides, when the table is profiled.
    STORED = "stored"
    #: Values without a usable comparison or size: documents, bytes, arrays, shapes. Not profiled.
    NONE = "none"

    @property
    def numeric(self) -> bool:
        """Whether arithmetic has a meaning."""
        return self in _NUMERIC


_NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.NUMBER})
_COUNTS = frozenset({"count", "null_count", "null_percent", "distinct_count", "distinct_percent"})
_QUANTILES = {"p05", "p25", "p50", "p75", "p95"}
_NUMBERS = _COUNTS | {"min", "max", "mean", "stddev", "histogram", "zero_count", "negative_count"} | _QUANTILES
_TEXTS = _COUNTS | {"min_length", "max_length", "avg_length", "min_text", "max_text", "empty_count"}

#: The metrics that apply to a kind.
METRICS_OF: dict[Kind, frozenset[str]] = {
    **dict.fromkeys(_NUMERIC, _NUMBERS | {"top_values"}),
    Kind.TEXT: _TEXTS | {"top_values"},
    Kind.TEMPORAL: _COUNTS | {"min", "max", "top_values"},
    Kind.BOOLEAN: _COUNTS | {"true_count", "false_count", "top_values"},
    Kind.OPAQUE: _COUNTS | {"top_values"},
    Kind.STORED: frozenset(),
    Kind.NONE: frozenset(),
}
