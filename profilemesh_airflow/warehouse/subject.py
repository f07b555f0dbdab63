"""One column under study: what is wanted of it, what was measured, and what failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.warehouse.kinds import METRICS_OF, Kind

if TYPE_CHECKING:
    import sqlalchemy as sa

    from profilemesh_airflow.core.plan import Column

DISTINCT = frozenset({"distinct_count", "distinct_percent"})
_NULLS = frozenset({"null_count", "null_percent"})
SHAPE = frozenset({"stddev", "histogram"})
_SPREAD = SHAPE | {"mean"}
QUANTILES = ("p05", "p25", "p50", "p75", "p95")
_RANKED = frozenset({*QUANTILES, "top_values"})
_LENGTHS = frozenset({"min_length", "max_length", "avg_length"})
#: Metrics of texts that their lengths answer, and those that their lengths and hashes do.
TOLD_BY_LENGTH = _LENGTHS | {"empty_count"}
TOLD_BY_HASH = TOLD_BY_LENGTH | DISTINCT | _NULLS | {"count"}
#: Metrics that the first scan answers under their own name.
PLAIN = ("min_text", "max_text", "zero_count", "negative_count", "empty_count", "true_count", "false_count")

#: Metrics that one scan of the table answers, all together.
ONE_SCAN = frozenset({"count", "min", "max", "mean", *_NULLS, *_LENGTHS, *PLAIN})

#: Of a hash of a value.
HASH_BITS = 64

#: Of ``n`` values ``n ** 2 / 2 ** 65`` pairs are expected to share a hash of 64 bits, the birthday problem: of so many,
#: one in a million.
MOST_HASHED = int((2**65 * 1e-6) ** 0.5)


@dataclass(eq=False)
class Subject:
    """A column.

    :param value: the column, as SQL.
    :param folded: whether texts of different lengths may be equal, as under some collations.
    :param key: of a column whose values are thought to differ mostly, what is sorted to count the distinct ones: the
        value, or a hash of it; none where values are grouped.
    :param approximate: whether approximations will do.
    :param passing: whether the first scan counts its distinct values as they pass, of which there are few.
    :param tallied: whether its distinct values are counted in this process, by their hashes; until that turns out to be
        impossible.
    :ivar measured: results of statements by name; a name out of :meth:`measures`, or one that a later step adds.
    :ivar failed: by the same names, why there is no result.
    :ivar approximated: the metrics that are approximations.
    """

    column: Column
    kind: Kind
    value: sa.ColumnElement[Any]
    asked: frozenset[str]
    folded: bool = False
    key: sa.ColumnElement[Any] | None = None
    approximate: bool = False
    passing: bool = False
    tallied: bool = False
    measured: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    approximated: set[str] = field(default_factory=set)

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics to compute: asked for, and of a meaning for this kind of column."""
        return self.asked & METRICS_OF[self.kind]

    @property
    def measures(self) -> tuple[str, ...]:
        """What the first scan has to find out."""
        wanted = self.wanted
        spread = self.kind.numeric and wanted & (_SPREAD | _RANKED)
        needed = {
            "non_null": wanted & _NULLS or (self.kind.numeric and wanted - {"count"}),
            "low": "min" in wanted or spread,
            "high": "max" in wanted or spread,
            "average": wanted & {"mean", "stddev"},
            "distinct": self.passing and wanted & DISTINCT,
            "deviation": self.key is not None and "stddev" in wanted,
            **{name: name in wanted and not self.lengths_from_groups for name in sorted(_LENGTHS)},
            **{name: name in wanted for name in PLAIN},
        }
        return tuple(name for name, reason in needed.items() if reason)

    @property
    def ranked(self) -> frozenset[str]:
        """What only the values in their order can tell."""
        return self.wanted & _RANKED

    @property
    def lengths_from_groups(self) -> bool:
        """Whether lengths come free with the distinct values."""
        grouped = self.wanted & DISTINCT and self.key is None and not self.approximate and not self.tallied
        return bool(self.wanted & _LENGTHS and grouped and not self.folded)

    @property
    def by_hash(self) -> bool:
        """Whether distinct values are counted by a hash of them."""
        return self.tallied or (self.key is not None and self.key is not self.value)

    @property
    def counted_early(self) -> bool:
        """Whether its distinct values can be counted before the first scan has answered."""
        grouped_late = self.kind.numeric and self.key is None
        return not grouped_late and not self.approximate and not self.passing and bool(self.wanted & DISTINCT)
