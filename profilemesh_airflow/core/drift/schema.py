"""Columns that came, went, or have another type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.drift.findings import NONE, DriftFinding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from profilemesh_airflow.core.drift.rules import DriftRules
    from profilemesh_airflow.core.profile import ColumnProfile


def find_schema_drift(
    before: Sequence[ColumnProfile], after: Sequence[ColumnProfile], rules: DriftRules
) -> Iterator[DriftFinding]:
    """Every difference between the columns of two runs; their order carries no meaning.

    A column that was renamed is one that went and one that came: nothing tells the two apart.
    """
    old, new = ({column.name: column.type for column in columns} for columns in (before, after))
    for name in {**old, **new}:
        if not rules.of_column(name).enabled:
            continue
        if name not in old:
            found = _finding(name, "column", None, new[name], rules.schema.added)
        elif name not in new:
            found = _finding(name, "column", old[name], None, rules.schema.dropped)
        else:
            found = _finding(name, "type", old[name], new[name], rules.schema.retyped)
        if found.before != found.after and found.severity != NONE:
            yield found


def _finding(column: str, what: str, before: Any, after: Any, severity: str) -> DriftFinding:
    return DriftFinding(column, what, before, after, None, severity, "schema")
