from __future__ import annotations

import pytest

from profilemesh_airflow.core.plan import (
    METRICS,
    Column,
    Identity,
    Partition,
    Plan,
    PlanEntry,
    Sampling,
    TableInfo,
    TableSettings,
)
from profilemesh_airflow.core.table import TableRef

ORDERS = TableRef("orders", "sales")
ID, NAME = Column("id", "integer"), Column("name", "text")


def entry(*columns, **kwargs):
    return PlanEntry(ORDERS, TableSettings(), TableInfo(ORDERS, columns), **kwargs)


# The digests are those of `b2sum -l 128` over "settings:1", a line feed and the canonical document.
@pytest.mark.parametrize(
    ("settings", "golden"),
    [
        (TableSettings(), "eebdb8a018b279049cc57761270a8681"),
        (
            TableSettings(metrics=("count",), sampling=Sampling("random", 0.1)),
            "bb90c468ed598048498e0d2aef8c5ff0",
        ),
        (
            TableSettings(metrics=("count",), partition=Partition("day", "recent_n", recent_n=7)),
            "6b2fd5a534234f4016f4d47f650b52bd",
        ),
    ],
)
def test_the_settings_digest_stays_what_it_is_from_release_to_release(settings, golden):
    assert settings.digest == golden


@pytest.mark.parametrize(
    "settings",
    [
        TableSettings(metrics=("count", "mean")),
        TableSettings(histogram_bins=11),
        TableSettings(max_distinct_values=1001),
        TableSettings(partition=Partition("day", "latest")),
        TableSettings(partition=Partition("month", "latest")),
        TableSettings(partition=Partition("day", "recent_n", recent_n=2)),
        TableSettings(partition=Partition("day", "specific_values", values=("1",))),
        TableSettings(partition=Partition("day", "specific_values", values=(1,))),
        TableSettings(partition=Partition("day", "latest", metadata_fallback=False)),
        TableSettings(sampling=Sampling("random", 0.5)),
        TableSettings(sampling=Sampling("topk", 0.5)),
        TableSettings(sampling=Sampling("random", 0.5, max_rows=10)),
        TableSettings(sampling=Sampling("random", 0.5, seed=1)),
        TableSettings(sampling=Sampling("stratified", 0.5, by="id")),
        TableSettings(partition=Partition("day", "sample", fraction=0.2)),
        TableSettings(partition=Partition("day", "sample", seed=1)),
        TableSettings(drift=(("strategy", "absolute_threshold"),)),
    ],
    ids=str,
)
def test_every_option_moves_the_settings_digest(settings):
    assert settings.digest != TableSettings().digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TableSettings(metrics=("mean", "count")), TableSettings(metrics=("count", "mean"))),
        (TableSettings(metrics=("count", "count")), TableSettings(metrics=("count",))),
        (TableSettings(metrics=tuple(reversed(METRICS))), TableSettings()),
        (TableSettings(metrics=("count",), histogram_bins=5), TableSettings(metrics=("count",), histogram_bins=9)),
        (TableSettings(drift=(("a", 1), ("b", 2))), TableSettings(drift=(("b", 2), ("a", 1)))),
    ],
)
def test_what_computes_the_same_has_the_same_settings_digest(one, other):
    assert one.digest == other.digest


def test_metrics_are_listed_in_the_order_of_the_format():
    assert TableSettings(metrics=("max", "count", "min")).document["metrics"] == ["count", "min", "max"]


@pytest.mark.parametrize(
    ("planned", "known"),
    [
        (PlanEntry(ORDERS, TableSettings()), (True, False, False)),
        (PlanEntry(ORDERS, TableSettings(), missing=True), (True, False, False)),
        (entry(ID), (True, True, False)),
        (entry(ID, data_version="7"), (True, True, True)),
        (entry(ID, data_version=""), (True, True, True)),
    ],
)
def test_a_part_that_is_not_known_is_none_and_never_a_constant(planned, known):
    parts = planned.fingerprint.as_dict()

    assert tuple(value is not None for value in parts.values()) == known


@pytest.mark.parametrize(
    ("changed", "moved"),
    [
        (entry(ID, NAME, data_version="7"), set()),
        (entry(NAME, ID, data_version="7"), set()),
        (entry(ID, data_version="7"), {"schema"}),
        (entry(ID, NAME, data_version="8"), {"data"}),
        (PlanEntry(ORDERS, TableSettings(("count",)), TableInfo(ORDERS, (ID, NAME)), data_version="7"), {"settings"}),
        (
            PlanEntry(ORDERS, TableSettings(), TableInfo(ORDERS, (ID, NAME), "view", 9, 9), data_version="7"),
            set(),
        ),
        (PlanEntry(TableRef("other"), TableSettings(), TableInfo(ORDERS, (ID, NAME)), data_version="7"), set()),
    ],
)
def test_a_change_moves_its_own_part_of_the_fingerprint_alone(changed, moved):
    before, after = entry(ID, NAME, data_version="7").fingerprint.as_dict(), changed.fingerprint.as_dict()

    assert {part for part in before if before[part] != after[part]} == moved


def test_a_plan_finds_its_entries_by_key():
    plan = Plan(Identity("prod", "shop"), (entry(ID), PlanEntry(TableRef("a.b"), TableSettings())))

    assert list(plan.by_key) == ["sales.orders", "a%2Eb"]
    assert plan.by_key["sales.orders"] is plan.entries[0]
