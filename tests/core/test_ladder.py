"""How much of a table is read, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.diff import Reason
from profilemesh_airflow.core.ladder import CostLimits, Last, Rules, Step, choose, choose_partitions, rows_of
from profilemesh_airflow.core.merge import MERGEABLE, PartitionState
from profilemesh_airflow.core.plan import METRICS, Column, Partition, PlanEntry, Sampling, TableInfo, TableSettings
from profilemesh_airflow.core.table import TableRef

REF = TableRef("orders")
COLUMNS = (Column("id", "INTEGER"), Column("note", "TEXT"))
INFO = TableInfo(REF, COLUMNS, estimated_rows=1000, estimated_bytes=64_000)
MERGED = TableSettings(metrics=MERGEABLE)
ENTRY = PlanEntry(REF, MERGED, INFO, data_version="2")
LAST = Last("table", frozenset({"id", "note"}), {})
DATA = Reason("data", "version", "1", "2")
ADDED = Reason("schema", "new", None, "TEXT")
RETYPED = Reason("schema", "note", "TEXT", "VARCHAR")
DROPPED = Reason("schema", "old", "TEXT", None)
FORCED = Reason("forced", "request", None, "because")
METRIC = Reason("settings", "metrics", ["count"], ["min"])
DRIFT = Reason("settings", "drift", {"strategy": "a"}, {"strategy": "b"})
ANYTHING = (DATA, ADDED, RETYPED, DROPPED, FORCED, METRIC, DRIFT)


def partitions(**versions):
    states = (PartitionState(value, version, 1, {}) for value, version in versions.items())
    return {state.digest: state for state in states}


@pytest.mark.parametrize(
    ("reasons", "rung", "why"),
    [
        ((DATA,), "full", "its rows changed"),
        ((), "nothing", "it is as it was: the metrics are those of the last profile"),
        ((DRIFT,), "nothing", "only its drift settings changed: the metrics are those of the last profile"),
        ((FORCED,), "full", "somebody asked for it"),
        ((DRIFT, FORCED), "full", "somebody asked for it"),
        ((METRIC, DRIFT), "full", "its settings changed: metrics"),
        ((ADDED,), "metadata", "its columns changed, its rows did not: only new profiled, 2 columns as before"),
        (
            (ADDED, RETYPED),
            "metadata",
            "its columns changed, its rows did not: only new, note profiled, 1 columns as before",
        ),
        ((DROPPED,), "metadata", "its columns changed, its rows did not: nothing to profile, 2 columns as before"),
        ((ADDED, DATA), "full", "its rows changed, and its columns"),
        ((ADDED, METRIC), "full", "its settings changed: metrics"),
    ],
)
def test_a_reason_leads_to_its_rung(reasons, rung, why):
    step = choose(ENTRY, reasons, LAST, Rules())
    assert (step.rung, step.why) == (rung, why)
    assert not step.deferred


@pytest.mark.parametrize(
    ("entry", "last", "why"),
    [
        (ENTRY, None, "there is no profile to build on"),
        (replace(ENTRY, data_version=None), LAST, "whether its rows changed is unknown"),
        (ENTRY, replace(LAST, rows_of="sample"), "the last profile is of a sample"),
        (ENTRY, replace(LAST, rows_of=None), "the last profile is of unknown rows"),
        (
            replace(ENTRY, settings=replace(MERGED, partition=Partition("day", "latest"))),
            LAST,
            "the last profile is of the whole table",
        ),
    ],
)
def test_nothing_is_carried_over_from_a_profile_that_does_not_fit(entry, last, why):
    step = choose(entry, (ADDED,), last, Rules())
    assert (step.rung, step.why) == ("full", why)


@pytest.mark.parametrize(
    ("settings", "rung"),
    [
        (replace(MERGED, partition=Partition("day", "latest")), "metadata"),
        (replace(MERGED, partition=Partition(None, "latest")), "full"),
        (replace(MERGED, partition=Partition("day", "sample")), "metadata"),
        (replace(MERGED, sampling=Sampling("random", 0.1)), "full"),
    ],
)
def test_new_columns_alone_are_profiled_if_the_same_rows_are_selected(settings, rung):
    of = rows_of(settings)
    entry, last = replace(ENTRY, settings=settings), replace(LAST, rows_of=of)
    assert choose(entry, (ADDED,), last, Rules()).rung == rung
    assert choose(entry, (DRIFT,), last, Rules()).rung == "nothing"


OLD = partitions(a="1", b="1", c="1", d="1")


@pytest.mark.parametrize(
    ("now", "rung", "why"),
    [
        (partitions(a="1", b="2", c="1", d="1"), "partitions", "1 of 4 partitions by day changed"),
        (partitions(a="1", b="2", c="1", e="1"), "partitions", "2 of 4 partitions by day changed, and 1 are gone"),
        (partitions(a="1", b="1", c="1"), "partitions", "0 of 3 partitions by day changed, and 1 are gone"),
        (OLD, "full", "its rows changed; no partition by day shows where"),
        (partitions(a="2", b="2"), "full", "its rows changed; all 2 partitions by day did"),
        (partitions(), "full", "its rows changed; all 0 partitions by day did"),
        (
            partitions(a="2", b="2", c="2", d="1"),
            "full",
            "its rows changed; 3 partitions by day did, more than"
            " incremental.partial_profiling.max_partitions_per_run (2)",
        ),
    ],
)
def test_only_changed_partitions_are_read_if_they_are_known_and_few(now, rung, why):
    rules, last = Rules(max_partitions=2), replace(LAST, partitions=OLD)
    step = choose(ENTRY, (DATA,), last, rules, "day")
    assert step == Step("full", "its rows changed", partly=True, by_partition="day")
    chosen = choose_partitions(step, now, last, rules, MERGED, "day")
    assert (chosen.rung, chosen.why) == (rung, why)


@pytest.mark.parametrize("reasons", [(FORCED,), (METRIC,), (DATA, ADDED)])
def test_partitions_are_not_merged_with_what_was_profiled_otherwise(reasons):
    rules, last = Rules(), replace(LAST, partitions=OLD)
    step = choose(ENTRY, reasons, last, rules, "day")
    assert step.by_partition == "day"
    assert choose_partitions(step, partitions(a="2", b="1"), last, rules, MERGED, "day") is step


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        (TableSettings(), Rules()),
        (TableSettings(metrics=("stddev",)), Rules(mergeable=frozenset({"count"}))),
        (MERGED, Rules(merge_partitions=False)),
        (replace(MERGED, sampling=Sampling("random", 0.5)), Rules(leave_out=True)),
        (replace(MERGED, partition=Partition("day", "latest")), Rules(leave_out=True)),
    ],
)
def test_what_cannot_be_merged_is_read_as_a_whole(settings, rules):
    entry = replace(ENTRY, settings=settings)
    last = Last("table", LAST.columns, OLD)
    assert choose(entry, (DATA,), last, rules, "day").by_partition is None


def test_metrics_that_are_left_out_are_named():
    settings, rules = TableSettings(metrics=("count", "histogram", "mean")), Rules(leave_out=True)
    last = replace(LAST, partitions=OLD)
    step = choose(replace(ENTRY, settings=settings), (DATA,), last, rules, "day")
    chosen = choose_partitions(step, partitions(a="2", b="1"), last, rules, settings, "day")
    assert chosen.why.endswith("; left out, as they cannot be merged: histogram")


ROWS_LIMIT = "about 1,000 rows are more than cost_controls.max_rows_scanned (100)"


@pytest.mark.parametrize(
    ("costs", "rung", "why", "fraction"),
    [
        (CostLimits(max_rows=1000, max_bytes=64_000), "full", "its rows changed", None),
        (CostLimits(max_rows=100), "sample", f"{ROWS_LIMIT}, and fallback_strategy is sample", 0.1),
        (
            CostLimits(max_rows=100, sample_fraction=0.01),
            "sample",
            f"{ROWS_LIMIT}, and fallback_strategy is sample",
            0.01,
        ),
        (
            CostLimits(max_rows=100, sample_fraction=0.9),
            "sample",
            f"{ROWS_LIMIT}, and fallback_strategy is sample",
            0.1,
        ),
        (
            CostLimits(max_rows=900, max_bytes=640, sample_fraction=1),
            "sample",
            "about 64,000 bytes are more than cost_controls.max_bytes_scanned (640), and fallback_strategy is sample",
            0.01,
        ),
        (
            CostLimits(max_rows=100, fallback="full"),
            "full",
            f"its rows changed; {ROWS_LIMIT}, and fallback_strategy is full",
            None,
        ),
    ],
)
def test_a_table_that_may_cost_too_much_is_treated_as_configured(costs, rung, why, fraction):
    step = choose(ENTRY, (DATA,), LAST, Rules(costs=costs))
    assert (step.rung, step.why) == (rung, why)
    assert (step.sampling and step.sampling.fraction) == (None if fraction is None else pytest.approx(fraction))


def test_a_table_that_may_cost_too_much_can_be_put_off():
    step = choose(ENTRY, (DATA,), LAST, Rules(costs=CostLimits(max_rows=100, fallback="defer")))
    assert step == Step("nothing", f"{ROWS_LIMIT}, and fallback_strategy is defer", deferred=True)


def test_a_configured_sample_counts_for_its_share_and_keeps_its_method():
    sampled = replace(ENTRY, settings=replace(MERGED, sampling=Sampling("topk", 0.5, by="id", seed=3)))
    last = replace(LAST, rows_of="sample")
    assert choose(sampled, (DATA,), last, Rules(costs=CostLimits(max_rows=500))).rung == "full"
    step = choose(sampled, (DATA,), last, Rules(costs=CostLimits(max_rows=50)))
    assert step.sampling == Sampling("topk", pytest.approx(0.05), by="id", seed=3)


def test_a_table_of_unknown_size_is_within_every_limit():
    info = replace(INFO, estimated_rows=None, estimated_bytes=None)
    assert choose(replace(ENTRY, info=info), (DATA,), LAST, Rules(costs=CostLimits(1, 1))).rung == "full"


@given(st.lists(st.sampled_from(ANYTHING), unique_by=repr), st.booleans(), st.sampled_from((MERGED, TableSettings())))
def test_without_the_section_everything_is_always_read(reasons, profiled, settings):
    step = choose(replace(ENTRY, settings=settings), reasons, LAST if profiled else None, None, "day")
    assert step == Step("full", "incremental profiling is off")


@given(
    st.lists(st.sampled_from(ANYTHING), unique_by=repr),
    st.none() | st.sampled_from((LAST, replace(LAST, rows_of="sample"), replace(LAST, partitions=OLD))),
    st.sampled_from(("2", None)),
    st.lists(st.sampled_from(METRICS), min_size=1).map(tuple),
    st.dictionaries(st.sampled_from("abcde"), st.sampled_from("12")).map(lambda found: partitions(**found)),
)
def test_less_is_read_only_where_that_is_as_exact(reasons, last, version, metrics, now):
    """Whatever happened, with the rules' defaults."""
    settings, rules = TableSettings(metrics=metrics), Rules()
    entry = PlanEntry(REF, settings, INFO, data_version=version)
    step = choose(entry, reasons, last, rules, "day")
    if step.by_partition is not None:
        step = choose_partitions(step, now, last, rules, settings, "day")
    kinds = {reason.kind for reason in reasons if reason.field != "drift"}
    if step.rung == "full":
        return
    assert version is not None
    assert last is not None
    assert last.rows_of == "table"
    assert not kinds & {"forced", "settings"}
    if step.rung == "nothing":
        assert not kinds
    elif step.rung == "metadata":
        assert kinds == {"schema"}
        assert step.columns == {reason.field for reason in reasons if reason.kind == "schema" and reason.after}
    else:
        assert step.rung == "partitions"
        assert kinds == {"data"}
        assert set(metrics) <= set(MERGEABLE)
        assert now != last.partitions
