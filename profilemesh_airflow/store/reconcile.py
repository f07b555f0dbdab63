"""What a refresh has to write: its findings against the ledger as it is by now. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.diff import Baseline, Change, Diff, Reason
from profilemesh_airflow.core.ledger import (
    Deferred,
    Detected,
    Expired,
    LedgerEntry,
    Removed,
    Returned,
    Step,
    advance,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.core.table import TableRef


@dataclass(frozen=True)
class LedgerView:
    """Baselines and open changes, by table key, as they were at one moment.

    :param revisions: of each open change, by its id, a number that every write moves.
    """

    now: datetime
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    entries: Mapping[str, LedgerEntry] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)

    def mark(self, key: str) -> tuple[object, ...]:
        """Stands for everything the view holds of a table: equal marks, nothing was written in between."""
        entry, baseline = self.entries.get(key), self.baselines.get(key)
        return (
            entry and (entry.change_id, self.revisions[entry.change_id]),
            baseline and (baseline.run_id, baseline.profiled_at),
        )


#: Changes that are written, each with what was there before; none for a new one.
Steps = tuple[tuple[LedgerEntry | None, LedgerEntry], ...]


@dataclass(frozen=True)
class Writes:
    """What is to be written, in one transaction, and what is to be rung after it.

    :param new: entries to insert: opened changes, and the closed ones that tell of a removed table.
    :param moved: entries, after their steps, to update.
    :param confirmed: ids of changes that are as they were; the row's revision tells other refreshes of it.
    :param forgotten: keys of the tables whose baseline goes.
    :param to_ring: changes whose doorbell is due and for which there is budget, in the order of the queue.
    :param steps: all that is in ``new`` and ``moved``.
    """

    new: tuple[LedgerEntry, ...]
    moved: tuple[LedgerEntry, ...]
    confirmed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    to_ring: tuple[LedgerEntry, ...] = ()
    steps: Steps = ()


def reconcile(
    diff: Diff,
    seen: LedgerView,
    current: LedgerView,
    policy: Policy,
    new_id: Callable[[], str],
    budget: Budget | None = None,
) -> Writes:
    """Decide what to write.

    Between the look that led to ``diff`` and now, a worker may have committed, and another refresh may have recorded
    what it saw. Opening a change on old news costs a look more; closing one on old news would lose it. So a change is
    opened or moved whatever happened meanwhile, and withdrawn or retired only where nothing was written since the look.

    :param seen: the ledger, read before the plan was built that ``diff`` compares.
    :param current: the ledger now, of the tables in ``diff``, its rows locked.
    :param budget: the most that may be rung; none is no limit.
    """
    refresh = _Reconciliation(seen, current, policy, new_id)
    refresh.expire()
    for change in diff.changes:
        refresh.changed(change)
    for ref in diff.removed:
        refresh.removed(ref)
    for key in diff.unchanged:
        if key not in diff.uncertain:
            refresh.unchanged(key)
    refresh.share_out(budget or Budget())
    return refresh.writes()


def reopen(
    refs: Iterable[TableRef], reason: str, current: LedgerView, policy: Policy, new_id: Callable[[], str]
) -> Writes:
    """Decide what to write so that these tables are profiled again: each at the target that it has, or had last.

    :param current: the ledger now, of these tables, its open changes locked; a table that it does not know is left out.
    """
    work = _Reconciliation(current, current, policy, new_id)
    work.expire()
    for ref in dict.fromkeys(refs):
        work.reopened(ref, Reason("forced", "request", None, reason))
    return work.writes()


class _Reconciliation:
    """The ledger's entries as they become, step by step."""

    def __init__(self, seen: LedgerView, current: LedgerView, policy: Policy, new_id: Callable[[], str]) -> None:
        self._seen = seen
        self._current = current
        self._now = current.now
        self._policy = policy
        self._new_id = new_id
        self._entries = dict(current.entries)
        self._confirmed: list[str] = []
        self._forgotten: list[str] = []
        self._to_ring: list[LedgerEntry] = []

    def expire(self) -> None:
        for entry in self._current.entries.values():
            if entry.expired(self._now):
                self._step(entry, Expired())

    def changed(self, change: Change) -> None:
        if self._is_answered(change):
            return
        entry = self._entries.get(change.key)
        if entry is None:
            self._open(change)
        elif not self._step(entry, Detected(change)):
            self._confirmed.append(change.key)

    def _is_answered(self, change: Change) -> bool:
        """Whether a worker has profiled the table at the change's target since the look."""
        seen, baseline = self._seen.baselines.get(change.key), self._current.baselines.get(change.key)
        if change.forced or baseline is None or change.target != baseline.fingerprint:
            return False
        # The very baseline that the look compared with: how old it may get, the look has judged by the table's rule.
        if seen is not None and (seen.run_id, seen.profiled_at) == (baseline.run_id, baseline.profiled_at):
            return False
        return change.target.data is not None or not baseline.is_stale(self._now, self._policy.profile_after)

    def removed(self, ref: TableRef) -> None:
        if not self._untouched(ref.key):
            return
        entry, baseline = self._entries.get(ref.key), self._current.baselines.get(ref.key)
        if entry is None and baseline is not None:
            entry = self._open(Change(ref, (), baseline.fingerprint))
        if entry is not None:
            self._step(entry, Removed())
        if baseline is not None:
            self._forgotten.append(ref.key)

    def unchanged(self, key: str) -> None:
        entry = self._entries.get(key)
        if entry is not None and self._untouched(key):
            self._step(entry, Returned())

    def reopened(self, ref: TableRef, force: Reason) -> None:
        entry, baseline = self._entries.get(ref.key), self._current.baselines.get(ref.key)
        if entry is not None:
            reasons = (*(reason for reason in entry.reasons if reason.kind != "forced"), force)
            self._step(entry, Detected(Change(ref, reasons, entry.target, entry.priority, entry.estimated_bytes)))
        elif baseline is not None:
            self._open(Change(ref, (force,), baseline.fingerprint))

    def share_out(self, budget: Budget) -> None:
        due = [entry for entry in self._entries.values() if entry.to_ring(self._now)]
        self._to_ring, deferred = budget.split(due)
        for entry in deferred:
            self._step(entry, Deferred())

    def writes(self) -> Writes:
        before = self._current.entries
        moved = {key: entry for key, entry in self._entries.items() if key in before and entry is not before[key]}
        return Writes(
            new=tuple(entry for key, entry in self._entries.items() if key not in before),
            moved=tuple(moved.values()),
            confirmed=tuple(before[key].change_id for key in self._confirmed if key not in moved),
            forgotten=tuple(self._forgotten),
            to_ring=tuple(self._to_ring),
            steps=tuple(
                (before.get(key), entry) for key, entry in self._entries.items() if entry is not before.get(key)
            ),
        )

    def _untouched(self, key: str) -> bool:
        return self._seen.mark(key) == self._current.mark(key)

    def _open(self, change: Change) -> LedgerEntry:
        entry = opened(self._new_id(), change, self._now)
        self._entries[entry.key] = entry
        return entry

    def _step(self, entry: LedgerEntry, step: Step) -> bool:
        after = advance(entry, step, self._now, self._policy)
        self._entries[entry.key] = after
        return after is not entry
