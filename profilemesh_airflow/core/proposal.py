"""What one configuration would have profiled that another one would not. Pure, without a look at any database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.diff import Baseline, Change, Diff, Reason, diff
from profilemesh_airflow.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.core.plan import Plan, TableInfo, TableSettings
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.core.version import VersionRule

    #: How the version of the rows of each table is found; none leaves that to the database.
    Rules = Mapping[TableRef, VersionRule | None]

_THEN = datetime(2000, 1, 1, tzinfo=timezone.utc)
_NEVER = timedelta(days=365)


@dataclass(frozen=True)
class Proposed:
    """A table that would be profiled.

    :param dag_id: the DAG that would run.
    :param rows: about how many rows would be read, or none where that is unknown.
    :param size: the same in bytes.
    """

    ref: TableRef
    reasons: tuple[Reason, ...]
    dag_id: str
    rows: int | None = None
    size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The table as JSON-safe data."""
        return {
            "table_key": self.ref.key,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "estimated_rows": self.rows,
            "estimated_bytes": self.size,
            "dag_id": self.dag_id,
        }


@dataclass(frozen=True)
class Proposal:
    """What would be profiled.

    :param against: what it is compared with.
    :param removed: tables that would no longer be profiled.
    :param unchanged: how many tables stay as they are.
    :param notes: what is unknown, and what else there is to know.
    """

    against: str
    tables: tuple[Proposed, ...]
    removed: tuple[TableRef, ...]
    unchanged: int
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int | None:
        """About how many rows would be read, or none where that is unknown of a table."""
        return _sum([table.rows for table in self.tables])

    @property
    def size(self) -> int | None:
        """The same in bytes."""
        return _sum([table.size for table in self.tables])

    def as_dict(self) -> dict[str, Any]:
        """The proposal as JSON-safe data."""
        return {
            "against": self.against,
            "changes": [table.as_dict() for table in self.tables],
            "removed": [ref.key for ref in self.removed],
            "unchanged": self.unchanged,
            "estimated_rows": self.rows,
            "estimated_bytes": self.size,
            "notes": list(self.notes),
        }


def changes_between(before: Plan, after: Plan, rules_before: Rules, rules_after: Rules) -> Diff:
    """The tables that have other settings than before, those that are new, and those that left.

    It is as if every table had just been profiled as before: what happens to its rows and columns meanwhile is no
    matter of a configuration. Where environment or source have another name, every table is new.

    :param before: a plan without schemas and data versions, as is ``after``.
    :param rules_before: under another rule, the version of the same rows is another one, so that it counts as changed.
    """
    same = before.identity == after.identity
    baselines = {
        entry.key: Baseline(
            entry.ref, entry.fingerprint, canonical_json(entry.settings.document), None, None, _THEN, "before"
        )
        for entry in (before.entries if same else ())
    }
    found = diff(after, baselines, now=_THEN, profile_after=_NEVER)
    by_key = {change.key: change for change in found.changes}
    for entry in after.entries:
        old, new = rules_before.get(entry.ref), rules_after.get(entry.ref)
        if entry.key in baselines and old != new:
            change = by_key.get(entry.key) or Change(entry.ref, (), entry.fingerprint)
            reason = Reason("data", "version rule", _shown(old), _shown(new))
            by_key[entry.key] = replace(change, reasons=(*change.reasons, reason))
    removed = found.removed if same else tuple(entry.ref for entry in before.entries)
    changed = tuple(by_key[entry.key] for entry in after.entries if entry.key in by_key)
    return Diff(changed, removed, tuple(key for key in found.unchanged if key not in by_key))


def to_be_read(info: TableInfo | None, settings: TableSettings) -> tuple[int | None, int | None]:
    """About how many rows and bytes a profile reads: by the catalog's estimate, or the share of it that is sampled."""
    share = settings.sampling.fraction if settings.sampling else 1.0
    sizes: Sequence[int | None] = (info.estimated_rows, info.estimated_bytes) if info else (None, None)
    rows, size = (None if each is None else round(each * share) for each in sizes)
    return rows, size


def _shown(rule: VersionRule | None) -> str | None:
    if rule is None:
        return None
    return f"watermark {rule.watermark}" if rule.watermark else f"query {rule.query}"


def _sum(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
