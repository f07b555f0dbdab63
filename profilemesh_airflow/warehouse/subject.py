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
_SPREAD = frozenset({"mean", "stddev", "histogram"})
_LENGTHS = frozenset({"min_length", "max_length", "avg_length"})


@dataclass(eq=False)
class Subject:
    """A column.

    :param value: the column, as SQL.
    :param folded: whether texts of different lengths may be equal, as under some collations.
    :param dense: whether most values are thought to differ.
    :ivar measured: results of statements by name; a name out of :meth:`measures`, or one that a later step adds.
    :ivar failed: by the same names, why there is no result.
    """

    column: Column
    kind: Kind
    value: sa.ColumnElement[Any]
    asked: frozenset[str]
    folded: bool = False
    dense: bool = False
    measured: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics to compute: asked for, and of a meaning for this kind of column."""
        return self.asked & METRICS_OF[self.kind]

    @property
    def measures(self) -> tuple[str, ...]:
        """What the first scan has to find out."""
        wanted = self.wanted
        spread = self.kind.numeric and wanted & _SPREAD
        needed = {
            "non_null": wanted & _NULLS or (self.kind.numeric and wanted - {"count"}),
            "low": "min" in wanted or spread,
            "high": "max" in wanted or spread,
            "average": wanted & {"mean", "stddev"},
            **{name: name in wanted and not self.lengths_from_groups for name in sorted(_LENGTHS)},
        }
        return tuple(name for name, reason in needed.items() if reason)

    @property
    def lengths_from_groups(self) -> bool:
        """Whether lengths come free with the distinct values."""
        return bool(self.wanted & _LENGTHS and self.wanted & DISTINCT and not self.folded)

    @property
    def grouped_early(self) -> bool:
        """Whether its distinct values can be looked at before the first scan has answered."""
        return not self.kind.numeric and bool(self.wanted & DISTINCT)
