"""The plan against what was last profiled: which tables changed, and why."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.policy import was_set_back

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime, timedelta

    from profilemesh_airflow.core.fingerprint import Fingerprint
    from profilemesh_airflow.core.plan import Plan, PlanEntry
    from profilemesh_airflow.core.table import TableRef

#: Why a table is, or was, in the ledger.
REASON_KINDS = ("added", "settings", "schema", "data", "forced", "stale", "removed", "requested")

#: The reasons that no difference gives, but somebody who asked.
ASKED = ("forced", "requested")

#: What the run id of a baseline begins with that was taken over from the earlier integration.
IMPORTED = "import:"


@dataclass(frozen=True)
class Reason:
    """One difference between plan and baseline.

    :param kind: one of :data:`REASON_KINDS`.
    :param field: what differs: an option, a column, ``version``.
    :param before: its value at the baseline, or none.
    :param after: its value now, or none.
    """

    kind: str
    field: str
    before: Any = None
    after: Any = None

    def as_dict(self) -> dict[str, Any]:
        """The reason as JSON-safe data."""
        return asdict(self)

    def __str__(self) -> str:
        if self.kind in ("added", "removed"):
            return self.kind
        if self.kind in ASKED:
            return f"{self.kind}: {self.after}"
        return f"{self.kind}: {self.field} {shown(self.before)} -> {shown(self.after)}"


def shown(value: Any) -> str:
    """A value before or after, as people read it."""
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Baseline:
    """What a table was when it was last profiled successfully.

    The documents stay JSON text until a difference has to be named, since most tables have none.
    """

    ref: TableRef
    fingerprint: Fingerprint
    settings_json: str
    columns_json: str | None
    data_version: str | None
    profiled_at: datetime
    run_id: str

    @property
    def imported(self) -> bool:
        """Whether no profile of this package's stands behind it: it was taken over from the earlier integration.

        Its data version is that of the moment at which it was taken over, ``profiled_at``, and not that of a profile.
        """
        return self.run_id.startswith(IMPORTED)

    def is_stale(self, now: datetime, profile_after: timedelta) -> bool:
        """Whether a table of unknown data version is to be profiled again: its profile is old, or of unknown age."""
        return now - self.profiled_at >= profile_after or was_set_back(self.profiled_at, now)


@dataclass(frozen=True)
class Change:
    """A table whose plan differs from its baseline, with every reason and the fingerprint to reach.

    :param priority: from the configuration; a greater one is rung first where there is a budget.
    :param estimated_bytes: the table's size by the catalog, or none.
    """

    ref: TableRef
    reasons: tuple[Reason, ...]
    target: Fingerprint
    priority: int = 0
    estimated_bytes: int | None = None

    @property
    def key(self) -> str:
        """The table's key."""
        return self.ref.key

    @property
    def forced(self) -> bool:
        """Whether somebody asked for it, so that a return to the baseline does not settle it."""
        return any(reason.kind == "forced" for reason in self.reasons)


@dataclass(frozen=True)
class Diff:
    """Plan against baselines.

    :param changes: the tables to profile, in the order of the plan.
    :param removed: tables that have a baseline or an open change and left the plan.
    :param unchanged: keys of the tables that do not differ from their baseline.
    :param uncertain: those of them whose data version was known at the baseline and is unknown now: an open change must
        not be closed on that.
    """

    changes: tuple[Change, ...]
    removed: tuple[TableRef, ...]
    unchanged: tuple[str, ...]
    uncertain: frozenset[str] = frozenset()


def diff(
    plan: Plan,
    baselines: Mapping[str, Baseline],
    *,
    now: datetime,
    profile_after: timedelta,
    forced: Mapping[str, str] | None = None,
    requested: str | None = None,
    only: Collection[str] | None = None,
    waiting: Iterable[TableRef] = (),
) -> Diff:
    """Compare a plan with the baselines.

    :param now: the moment against which an unknown data version grows stale.
    :param profile_after: the age at which a table of unknown data version is profiled again, unless it has its own.
    :param forced: by table key, why somebody wants it profiled whatever changed.
    :param requested: who asked for this look, and why; kept with every change that was not forced by it.
    :param only: keys of the tables to look at; none means all, and only then is a missing one ``removed``.
    :param waiting: the tables that have an open change: one that leaves the plan before it was ever profiled is
        ``removed`` too.
    """
    forced = forced or {}
    changes: list[Change] = []
    unchanged: list[str] = []
    uncertain: set[str] = set()
    for key, entry in plan.by_key.items():
        if only is not None and key not in only:
            continue
        reasons = _reasons(entry, baselines.get(key), now, entry.profile_after or profile_after)
        if key in forced:
            reasons.append(Reason("forced", "request", None, forced[key]))
        elif reasons and requested:
            reasons.append(Reason("requested", "request", None, requested))
        if reasons:
            size = entry.info.estimated_bytes if entry.info else None
            changes.append(Change(entry.ref, tuple(reasons), entry.fingerprint, entry.priority, size))
        else:
            unchanged.append(key)
            if entry.data_version is None and baselines[key].data_version is not None:
                uncertain.add(key)
    gone: list[TableRef] = []
    if only is None:
        gone += [baseline.ref for key, baseline in baselines.items() if key not in plan.by_key]
        gone += [ref for ref in waiting if ref.key not in plan.by_key and ref.key not in baselines]
    return Diff(tuple(changes), tuple(gone), tuple(unchanged), frozenset(uncertain))


def _reasons(entry: PlanEntry, baseline: Baseline | None, now: datetime, profile_after: timedelta) -> list[Reason]:
    if baseline is None:
        return [Reason("added", "table", None, entry.key)]
    # What holds of most tables is asked at once; the rest finds the same.
    if entry.fingerprint == baseline.fingerprint and entry.data_version is not None and not baseline.imported:
        return []
    reasons: list[Reason] = []
    if entry.fingerprint.settings != baseline.fingerprint.settings:
        before = json.loads(baseline.settings_json)
        reasons += _field_reasons("settings", before, entry.settings.document)
    return reasons + schema_reasons(entry, baseline) + _data_reasons(entry, baseline, now, profile_after)


def schema_reasons(entry: PlanEntry, baseline: Baseline) -> list[Reason]:
    """The columns, with their types, in which a table differs from its baseline, and whether it is missing."""
    if entry.missing:
        return [Reason("schema", "table", "present", "missing")]
    columns = entry.schema_document
    if columns is None or entry.fingerprint.schema == baseline.fingerprint.schema:
        return []
    return _field_reasons("schema", json.loads(baseline.columns_json or "{}"), columns)


def _data_reasons(entry: PlanEntry, baseline: Baseline, now: datetime, profile_after: timedelta) -> list[Reason]:
    if entry.info is None:
        return []
    if entry.data_version is not None:
        if entry.fingerprint.data != baseline.fingerprint.data:
            return [Reason("data", "version", baseline.data_version, entry.data_version)]
        if not baseline.imported:
            return []
    if not baseline.is_stale(now, profile_after):
        return []
    since = "taken over" if baseline.imported else "profiled"
    known = entry.data_version or "unknown"
    return [Reason("stale", "version", f"{since} at {baseline.profiled_at.isoformat()}", known)]


def _field_reasons(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Reason]:
    names = [*after, *(name for name in before if name not in after)]
    return [
        Reason(kind, name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]
