"""Profile a table as far up the ladder as it has to be."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from profilemesh_airflow.core.diff import diff
from profilemesh_airflow.core.ladder import Last, choose, choose_partitions
from profilemesh_airflow.core.plan import Plan
from profilemesh_airflow.core.profile import TableProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.core.diff import Baseline, Reason
    from profilemesh_airflow.core.ladder import Step
    from profilemesh_airflow.core.merge import PartitionState
    from profilemesh_airflow.core.plan import PlanEntry, TableInfo, TableSettings
    from profilemesh_airflow.store import StoredProfile
    from profilemesh_airflow.usecases.workspace import Workspace
    from profilemesh_airflow.warehouse import Reading


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Climbed:
    """A profile, and what it leaves for the next one.

    :param partitions: what is known of each partition; none where that was not found out.
    """

    profile: TableProfile
    partitions: tuple[PartitionState, ...] = ()


@dataclass(frozen=True)
class PutOff:
    """The table is not to be profiled now."""

    why: str


def climb(workspace: Workspace, entry: PlanEntry, info: TableInfo, forced: Sequence[Reason]) -> Climbed | PutOff:
    """Profile a table, and read no more of it than the rules ask for.

    :param entry: the plan of the table, just read.
    :param forced: the reasons for which somebody wants it profiled, whatever changed.
    """
    baseline, stored = _before(workspace, entry.key)
    last = _last(workspace, stored)
    key = workspace.care[entry.ref].partition_key or info.details.get("partition_key")
    step = choose(entry, [*_reasons(workspace, entry, baseline), *forced], last, workspace.rules, key)
    if step.deferred:
        return PutOff(step.why)
    if stored is not None and step.rung == "nothing":
        # What is known of the partitions is of this state of the table, too.
        states = () if last is None else tuple(last.partitions.values())
        return Climbed(_carried_over(info, stored, step), states)
    warehouse, care = workspace.warehouse, workspace.care[entry.ref]
    if stored is not None and step.rung == "metadata":
        new = None
        if step.columns:
            new = warehouse.profile(info, entry.settings, care.timeout, care.means, step.columns)
        return Climbed(_carried_over(info, stored, step, new))
    if step.by_partition is not None:
        with warehouse.reading(info, care.timeout, care.means) as reading:
            return _by_partition(workspace, entry, reading, step, last)
    settings = entry.settings if step.sampling is None else replace(entry.settings, sampling=step.sampling)
    return Climbed(_on(step, warehouse.profile(info, settings, care.timeout, care.means)))


def _by_partition(workspace: Workspace, entry: PlanEntry, reading: Reading, step: Step, last: Last | None) -> Climbed:
    """By those partitions that changed, if that is exact; or all, and keep what is known of each for the next time."""
    assert workspace.rules is not None
    assert step.by_partition is not None
    key, rules = step.by_partition, workspace.rules
    merged = replace(entry.settings, metrics=tuple(name for name in entry.settings.metrics if name in rules.mergeable))
    now = reading.partitions(key)
    if now is None:
        profile = reading.profile(entry.settings)
        return Climbed(_on(replace(step, why=f"{step.why}; which partitions by {key} cannot be told"), profile))
    chosen = choose_partitions(step, now, last, rules, entry.settings, key)
    if chosen.rung == "partitions" and last is not None:
        climbed = _merged(reading, chosen, now, last.partitions, merged)
        if climbed is not None:
            return climbed
        chosen = replace(step, why=f"{step.why}; its partitions by {key} cannot be merged")
    states = reading.states(key, now, merged, all_of_them=True) or {}
    return Climbed(_on(chosen, reading.profile(entry.settings)), tuple(states.values()))


def _merged(
    reading: Reading,
    step: Step,
    now: Mapping[str, PartitionState],
    before: Mapping[str, PartitionState],
    settings: TableSettings,
) -> Climbed | None:
    """The profile from the partitions, of which only the changed ones are read; none where they cannot be merged."""
    assert step.by_partition is not None
    same = {digest for digest, state in now.items() if digest in before and before[digest].version == state.version}
    changed = {digest: state for digest, state in now.items() if digest not in same}
    read = reading.states(step.by_partition, changed, settings)
    if read is None:
        return None
    states = {**{digest: before[digest] for digest in same}, **read}
    try:
        profile = reading.merged(states, settings)
    except OverflowError as error:
        log.info("%s", error)
        return None
    return Climbed(_on(step, profile), tuple(states.values()))


def _before(workspace: Workspace, key: str) -> tuple[Baseline | None, StoredProfile | None]:
    """The table's baseline, and the profile that it belongs to."""
    if workspace.rules is None:
        return None, None
    baseline = workspace.ledger.baselines([key]).get(key)
    return baseline, None if baseline is None else workspace.results.profile(baseline.run_id, key)


def _last(workspace: Workspace, stored: StoredProfile | None) -> Last | None:
    if stored is None or stored.row_count is None:
        return None
    partitions = workspace.results.partitions(stored.run_id, stored.table_key)
    return Last(stored.rows_of, frozenset(column.name for column in stored.columns), partitions)


def _reasons(workspace: Workspace, entry: PlanEntry, baseline: Baseline | None) -> tuple[Reason, ...]:
    """How the table differs from its baseline, now that it is about to be profiled."""
    if baseline is None:
        return ()
    plan, now = Plan(workspace.identity, (entry,)), datetime.now(timezone.utc)
    found = diff(plan, {entry.key: baseline}, now=now, profile_after=workspace.policy.profile_after, only={entry.key})
    return found.changes[0].reasons if found.changes else ()


def _carried_over(info: TableInfo, stored: StoredProfile, step: Step, new: TableProfile | None = None) -> TableProfile:
    """The last profile again, with what was profiled anew in its place."""
    columns = {column.name: column for column in (*stored.columns, *(new.columns if new else ()))}
    carried = TableProfile(
        row_count=stored.row_count or 0,
        columns=tuple(columns[column.name] for column in info.columns),
        queries=0,
        rows_scanned=0,
        seconds=0.0,
        rows_of=stored.rows_of or "table",
    )
    if new is not None:
        carried = replace(new, columns=carried.columns)
    return _on(step, carried)


def _on(step: Step, profile: TableProfile) -> TableProfile:
    return replace(profile, rung=step.rung, rung_reason=step.why)
