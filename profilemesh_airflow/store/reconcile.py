"""What a refresh has to write: its findings against the ledger as it is by now. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from profilemesh_airflow.core.diff import Baseline, Change, Diff
from profilemesh_airflow.core.ledger import Detected, LedgerEntry, Removed, Returned, Step, advance, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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


@dataclass
class Writes:
    """What is to be written, in one transaction.

    :param new: entries to insert: opened changes, and the closed ones that tell of a removed table.
    :param moved: entries, after their step, to update.
    :param confirmed: ids of changes that are as they were; the row's revision tells other refreshes of it.
    :param forgotten: keys of the tables whose baseline goes.
    """

    new: list[LedgerEntry] = field(default_factory=list)
    moved: list[LedgerEntry] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)


def reconcile(diff: Diff, seen: LedgerView, current: LedgerView, policy: Policy, new_id: Callable[[], str]) -> Writes:
    """Decide what to write.

    Between the look that led to ``diff`` and now, a worker may have committed, and another refresh may have recorded
    what it saw. Opening a change on old news costs a look more; closing one on old news would lose it. So a change is
    opened or moved whatever happened meanwhile, and withdrawn or retired only where nothing was written since the look.

    :param seen: the ledger, read before the plan was built that ``diff`` compares.
    :param current: the ledger now, its rows locked.
    """
    return _Reconciliation(seen, current, policy, new_id).run(diff)


class _Reconciliation:
    def __init__(self, seen: LedgerView, current: LedgerView, policy: Policy, new_id: Callable[[], str]) -> None:
        self._seen = seen
        self._current = current
        self._policy = policy
        self._new_id = new_id
        self._writes = Writes()

    def run(self, diff: Diff) -> Writes:
        for change in diff.changes:
            self._changed(change)
        for ref in diff.removed:
            self._removed(ref)
        for key in diff.unchanged:
            self._unchanged(key)
        return self._writes

    def _changed(self, change: Change) -> None:
        if _is_answered(change, self._current.baselines.get(change.key), self._current.now, self._policy):
            return
        entry = self._current.entries.get(change.key)
        if entry is None:
            self._writes.new.append(opened(self._new_id(), change, self._current.now))
        elif not self._step(entry, Detected(change)):
            self._writes.confirmed.append(entry.change_id)

    def _removed(self, ref: TableRef) -> None:
        entry, baseline = self._current.entries.get(ref.key), self._current.baselines.get(ref.key)
        if not self._untouched(ref.key):
            return
        if entry is not None:
            self._step(entry, Removed())
        elif baseline is not None:
            gone = opened(self._new_id(), Change(ref, (), baseline.fingerprint), self._current.now)
            self._writes.new.append(advance(gone, Removed(), self._current.now, self._policy))
        if baseline is not None:
            self._writes.forgotten.append(ref.key)

    def _unchanged(self, key: str) -> None:
        entry = self._current.entries.get(key)
        if entry is not None and self._untouched(key):
            self._step(entry, Returned())

    def _untouched(self, key: str) -> bool:
        return self._seen.mark(key) == self._current.mark(key)

    def _step(self, entry: LedgerEntry, step: Step) -> bool:
        after = advance(entry, step, self._current.now, self._policy)
        if after is entry:
            return False
        self._writes.moved.append(after)
        return True


def _is_answered(change: Change, baseline: Baseline | None, now: datetime, policy: Policy) -> bool:
    """Whether a worker has profiled the table at the change's target since the look."""
    if change.forced or baseline is None or change.target != baseline.fingerprint:
        return False
    return change.target.data is not None or now - baseline.profiled_at < policy.profile_after
