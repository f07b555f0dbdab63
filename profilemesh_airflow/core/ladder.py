"""How much of a table has to be read for a profile: nothing, new columns, changed partitions, a sample, or all.

Nothing less than all is read unless ``incremental.enabled`` says so, and then only where the metrics are as exact, or
where the configuration prefers a cheaper profile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from profilemesh_airflow.core.merge import MERGEABLE
from profilemesh_airflow.core.plan import Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.merge import PartitionState
    from profilemesh_airflow.core.plan import PlanEntry, TableSettings
    from profilemesh_airflow.core.profile import RowsOf, Rung


@dataclass(frozen=True)
class CostLimits:
    """``incremental.cost_controls``.

    :param max_bytes: of a table, by the catalog's estimate; none is no limit.
    :param max_rows: the same, in rows.
    :param fallback: what happens to a larger table: ``sample``, ``defer`` or ``full``.
    :param sample_fraction: the share (0 to 1) of its rows that are then profiled at most.
    """

    max_bytes: int | None = None
    max_rows: int | None = None
    fallback: str = "sample"
    sample_fraction: float = 0.1


@dataclass(frozen=True)
class Rules:
    """Section ``incremental:``, where it is enabled.

    :param max_partitions: more changed partitions than this are not worth merging.
    :param mergeable: metrics that may be merged.
    :param merge_partitions: whether partitions are merged at all.
    :param leave_out: whether metrics that cannot be merged may be missing from a profile.
    """

    merge_partitions: bool = True
    max_partitions: int = 64
    mergeable: frozenset[str] = frozenset(MERGEABLE)
    leave_out: bool = False
    costs: CostLimits | None = None


@dataclass(frozen=True)
class Last:
    """The last profile of a table, which its baseline belongs to.

    :param rows_of: which rows it is of; none where that is not known.
    :param columns: the names of its columns.
    :param partitions: what is known of each partition, by digest; empty where that was not found out.
    """

    rows_of: RowsOf | None
    columns: frozenset[str]
    partitions: Mapping[str, PartitionState]


@dataclass(frozen=True)
class Step:
    """What to do.

    :param why: for people.
    :param columns: the columns to profile on rung ``metadata``; the others keep their metrics.
    :param sampling: how to sample, other than configured, on rung ``sample``.
    :param deferred: leave the change open: nothing is profiled now.
    :param partly: whether a part of the rows may be all that changed.
    :param by_partition: the key by which partitions are to be compared, and their states kept.
    """

    rung: Rung
    why: str
    columns: frozenset[str] = frozenset()
    sampling: Sampling | None = None
    deferred: bool = False
    partly: bool = False
    by_partition: str | None = None


def choose(
    entry: PlanEntry,
    reasons: Sequence[Reason],
    last: Last | None,
    rules: Rules | None,
    partition_key: str | None = None,
) -> Step:
    """The cheapest step that is exact, or that the rules prefer. No query is needed for it.

    :param reasons: how the table differs from its baseline now, and whether somebody forces it.
    :param last: none where there is none that could be built on.
    :param rules: none where incremental profiling is off.
    :param partition_key: the column that divides the table, if one does.
    """
    if rules is None:
        return Step("full", "incremental profiling is off")
    step = _needed(entry, reasons, last)
    if step.rung == "nothing":
        return step
    step = _within(step, entry, rules.costs)
    if step.rung != "full" or partition_key is None:
        return step
    return replace(step, by_partition=partition_key) if merges(entry.settings, rules) else step


def choose_partitions(
    step: Step, now: Mapping[str, PartitionState], last: Last | None, rules: Rules, settings: TableSettings, key: str
) -> Step:
    """``partitions``, where it is exact to read only those whose version has changed; otherwise ``step``.

    :param now: the partitions as they are, without columns.
    """
    if last is None or not last.partitions or not step.partly:
        return step
    known = last.partitions
    changed = [digest for digest, state in now.items() if digest not in known or known[digest].version != state.version]
    if not changed and known.keys() == now.keys():
        return replace(step, why=f"{step.why}; no partition by {key} shows where")
    if len(changed) > rules.max_partitions:
        more = f"more than incremental.partial_profiling.max_partitions_per_run ({rules.max_partitions})"
        return replace(step, why=f"{step.why}; {len(changed)} partitions by {key} did, {more}")
    if len(changed) == len(now):
        return replace(step, why=f"{step.why}; all {len(now)} partitions by {key} did")
    left_out = [name for name in settings.metrics if name not in rules.mergeable or name not in MERGEABLE]
    without = f"; left out, as they cannot be merged: {', '.join(left_out)}" if left_out else ""
    gone = len(known.keys() - now.keys())
    also = f", and {gone} are gone" if gone else ""
    why = f"{len(changed)} of {len(now)} partitions by {key} changed{also}{without}"
    return Step("partitions", why, by_partition=key)


def merges(settings: TableSettings, rules: Rules) -> bool:
    """Whether the profile of a table may be merged from its partitions."""
    if not rules.merge_partitions or settings.sampling is not None or settings.partition is not None:
        return False
    return rules.leave_out or all(name in rules.mergeable and name in MERGEABLE for name in settings.metrics)


def _needed(entry: PlanEntry, reasons: Sequence[Reason], last: Last | None) -> Step:
    """Whatever it costs."""
    if last is None:
        return Step("full", "there is no profile to build on")
    if any(reason.kind == "forced" for reason in reasons):
        return Step("full", "somebody asked for it")
    if entry.data_version is None:
        return Step("full", "whether its rows changed is unknown")
    if last.rows_of != rows_of(entry.settings):
        return Step("full", f"the last profile is of {_ROWS_OF[last.rows_of]}")
    settings = [reason.field for reason in reasons if reason.kind == "settings" and reason.field != "drift"]
    if settings:
        return Step("full", f"its settings changed: {', '.join(settings)}")
    kinds = {reason.kind for reason in reasons} - {"settings"}
    if not kinds:
        only = "only its drift settings changed" if reasons else "it is as it was"
        return Step("nothing", f"{only}: the metrics are those of the last profile")
    if kinds == {"schema"} and _selects_the_same_again(entry.settings):
        return _new_columns(reasons, last)
    if kinds == {"schema"}:
        return Step("full", "its columns changed, and with them perhaps which rows are selected")
    if kinds == {"data"}:
        return Step("full", "its rows changed", partly=True)
    return Step("full", "its rows changed, and its columns")


def _new_columns(reasons: Sequence[Reason], last: Last) -> Step:
    new = frozenset(reason.field for reason in reasons if reason.kind == "schema" and reason.after is not None)
    kept = len(last.columns - new - {reason.field for reason in reasons if reason.after is None})
    what = f"only {', '.join(sorted(new))} profiled" if new else "nothing to profile"
    return Step("metadata", f"its columns changed, its rows did not: {what}, {kept} columns as before", new)


def rows_of(settings: TableSettings) -> RowsOf:
    """Which rows the configuration asks for."""
    if settings.sampling is not None or (settings.partition is not None and settings.partition.strategy == "sample"):
        return "sample"
    return "table" if settings.partition is None or settings.partition.strategy == "all" else "partitions"


def _selects_the_same_again(settings: TableSettings) -> bool:
    """Whether unchanged rows are selected again: how a sample is drawn depends on estimates, a key may be inferred."""
    return settings.sampling is None and (settings.partition is None or settings.partition.key is not None)


_ROWS_OF = {None: "unknown rows", "table": "the whole table", "partitions": "some partitions", "sample": "a sample"}


def _within(step: Step, entry: PlanEntry, costs: CostLimits | None) -> Step:
    """The same step, or what is to be done instead of one that may cost too much."""
    over = None if costs is None else _over(entry, costs)
    if costs is None or over is None:
        return step
    excess, room = over
    if costs.fallback == "full":
        return replace(step, why=f"{step.why}; {excess}, and fallback_strategy is full")
    if costs.fallback == "defer":
        return Step("nothing", f"{excess}, and fallback_strategy is defer", deferred=True)
    usual = entry.settings.sampling or Sampling("random", 1.0)
    fraction = min(costs.sample_fraction, usual.fraction * room)
    return Step("sample", f"{excess}, and fallback_strategy is sample", sampling=replace(usual, fraction=fraction))


def _over(entry: PlanEntry, costs: CostLimits) -> tuple[str, float] | None:
    """By what the catalog's estimate is over a limit, and the share of it that would not be."""
    if entry.info is None:
        return None
    fraction = entry.settings.sampling.fraction if entry.settings.sampling else 1.0
    asked = (
        ("rows", entry.info.estimated_rows, costs.max_rows, "max_rows_scanned"),
        ("bytes", entry.info.estimated_bytes, costs.max_bytes, "max_bytes_scanned"),
    )
    found = [
        (
            f"about {size * fraction:,.0f} {unit} are more than cost_controls.{name} ({limit:,})",
            limit / (size * fraction),
        )
        for unit, size, limit, name in asked
        if size is not None and limit is not None and size * fraction > limit
    ]
    return min(found, key=lambda each: each[1]) if found else None
