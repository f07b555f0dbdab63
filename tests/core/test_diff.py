from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from profilemesh_airflow.core.diff import IMPORTED, REASON_KINDS, Baseline, Reason, diff
from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.core.plan import Column, Identity, Partition, Plan, PlanEntry, TableInfo, TableSettings
from profilemesh_airflow.core.table import TableRef

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
DAY = timedelta(hours=24)
ORDERS, USERS = TableRef("orders", "sales"), TableRef("users", "sales")
SETTINGS = TableSettings(metrics=("count", "mean"))
COLUMNS = (Column("id", "integer"), Column("name", "text"))


def planned(ref=ORDERS, settings=SETTINGS, columns=COLUMNS, version="7"):
    return PlanEntry(ref, settings, TableInfo(ref, columns), data_version=version)


def baseline(entry, age=timedelta(hours=1)):
    columns = None if entry.schema_document is None else canonical_json(entry.schema_document)
    return Baseline(
        ref=entry.ref,
        fingerprint=entry.fingerprint,
        settings_json=canonical_json(entry.settings.document),
        columns_json=columns,
        data_version=entry.data_version,
        profiled_at=NOW - age,
        run_id="run-1",
    )


def compared(*entries, baselines=(), **kwargs):
    plan = Plan(Identity("prod", "shop"), entries)
    return diff(plan, {b.ref.key: b for b in baselines}, now=NOW, profile_after=DAY, **kwargs)


def reasons(entry, before, **kwargs):
    found = compared(entry, baselines=[before], **kwargs)
    return [reason for change in found.changes for reason in change.reasons]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (planned(), []),
        (planned(columns=COLUMNS[::-1]), []),
        (
            planned(settings=TableSettings(metrics=("count",))),
            [Reason("settings", "metrics", ["count", "mean"], ["count"])],
        ),
        (
            planned(settings=TableSettings(("count", "mean"), max_distinct_values=5)),
            [Reason("settings", "max_distinct_values", 1000, 5)],
        ),
        (
            planned(settings=TableSettings(("count", "mean"), partition=Partition("day", "latest"))),
            [
                Reason(
                    "settings",
                    "partition",
                    None,
                    {"key": "day", "strategy": "latest", "recent_n": None, "values": [], "metadata_fallback": True},
                )
            ],
        ),
        (
            planned(settings=TableSettings(("count", "mean", "histogram"))),
            [
                Reason("settings", "metrics", ["count", "mean"], ["count", "mean", "histogram"]),
                Reason("settings", "histogram_bins", None, 10),
            ],
        ),
        (
            planned(columns=(Column("id", "bigint"), Column("email", "text"))),
            [
                Reason("schema", "id", "integer", "bigint"),
                Reason("schema", "email", None, "text"),
                Reason("schema", "name", "text", None),
            ],
        ),
        (planned(version="8"), [Reason("data", "version", "7", "8")]),
        (
            planned(settings=TableSettings(("count",)), columns=COLUMNS[:1], version="8"),
            [
                Reason("settings", "metrics", ["count", "mean"], ["count"]),
                Reason("schema", "name", "text", None),
                Reason("data", "version", "7", "8"),
            ],
        ),
        (PlanEntry(ORDERS, SETTINGS, missing=True), [Reason("schema", "table", "present", "missing")]),
        (PlanEntry(ORDERS, SETTINGS), []),
    ],
)
def test_every_difference_is_a_reason_with_field_before_and_after(entry, expected):
    assert reasons(entry, baseline(planned())) == expected


@pytest.mark.parametrize(
    ("before", "now_version", "age", "expected"),
    [
        ("7", None, DAY - timedelta(seconds=1), []),
        ("7", None, DAY, ["stale"]),
        (None, None, DAY - timedelta(seconds=1), []),
        (None, None, DAY, ["stale"]),
        (None, "7", timedelta(0), ["data"]),
        ("7", "7", 100 * DAY, []),
    ],
)
def test_an_unknown_data_version_is_stale_after_a_while_and_a_known_one_never(before, now_version, age, expected):
    found = reasons(planned(version=now_version), baseline(planned(version=before), age))

    assert [reason.kind for reason in found] == expected


def test_a_stale_table_says_when_it_was_profiled():
    (reason,) = reasons(planned(version=None), baseline(planned(version=None), 2 * DAY))

    assert str(reason) == "stale: version profiled at 2026-02-27T12:00:00+00:00 -> unknown"


def test_a_schema_that_becomes_known_lists_every_column():
    before = replace(baseline(planned()), columns_json=None, fingerprint=PlanEntry(ORDERS, SETTINGS).fingerprint)

    assert reasons(planned(version=None), before) == [
        Reason("schema", "id", None, "integer"),
        Reason("schema", "name", None, "text"),
    ]


def test_a_table_without_a_baseline_is_added():
    found = compared(planned())

    assert [change.reasons for change in found.changes] == [(Reason("added", "table", None, "sales.orders"),)]
    assert found.changes[0].target == planned().fingerprint


def test_changes_keep_the_order_of_the_plan_and_the_rest_is_unchanged_or_removed():
    gone = TableRef("gone", "sales")
    found = compared(
        planned(USERS),
        planned(),
        planned(TableRef("new")),
        baselines=[baseline(planned(version="6")), baseline(planned(gone)), baseline(planned(USERS))],
    )

    assert [change.key for change in found.changes] == ["sales.orders", "new"]
    assert found.unchanged == ("sales.users",)
    assert found.removed == (gone,)


def test_a_table_that_was_never_profiled_but_waits_is_removed_once():
    never, gone = TableRef("never"), TableRef("gone")
    found = compared(planned(), baselines=[baseline(planned(gone))], waiting=[never, gone, ORDERS])

    assert found.removed == (gone, never)


def test_a_forced_table_is_a_change_however_unchanged():
    found = compared(
        planned(),
        planned(USERS),
        baselines=[baseline(planned()), baseline(planned(USERS))],
        forced={"sales.users": "audit"},
    )

    (change,) = found.changes
    assert change.key == "sales.users"
    assert change.reasons == (Reason("forced", "request", None, "audit"),)
    assert change.forced
    assert found.unchanged == ("sales.orders",)


def test_a_forced_table_keeps_its_other_reasons():
    found = reasons(planned(version="8"), baseline(planned()), forced={"sales.orders": "audit"})

    assert [reason.kind for reason in found] == ["data", "forced"]


def test_a_look_at_some_tables_says_nothing_of_the_others():
    found = compared(
        planned(),
        planned(USERS),
        baselines=[baseline(planned(TableRef("gone")))],
        waiting=[TableRef("never")],
        only={"sales.orders"},
    )

    assert [change.key for change in found.changes] == ["sales.orders"]
    assert found.removed == found.unchanged == ()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason("added", "table", None, "sales.orders"), "added"),
        (Reason("removed", "table", "sales.orders", None), "removed"),
        (Reason("forced", "request", None, "audit"), "forced: audit"),
        (Reason("schema", "id", None, "integer"), "schema: id none -> integer"),
        (Reason("settings", "metrics", ["min"], ["größe"]), 'settings: metrics ["min"] -> ["größe"]'),
        (Reason("data", "version", "7", "8"), "data: version 7 -> 8"),
    ],
)
def test_a_reason_reads_as_a_line(reason, text):
    assert str(reason) == text


def test_a_reason_is_json():
    reason = Reason("settings", "partition", None, {"key": "day"})

    assert json.loads(json.dumps(reason.as_dict())) == {
        "kind": "settings",
        "field": "partition",
        "before": None,
        "after": {"key": "day"},
    }


def test_the_kinds_of_reasons_are_those_that_users_know():
    assert REASON_KINDS == ("added", "settings", "schema", "data", "forced", "stale", "removed", "requested")


def taken_over(entry, age):
    return replace(baseline(entry, age), run_id=f"{IMPORTED}run-1")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (taken_over(planned(), timedelta(hours=23)), []),
        (taken_over(planned(version="6"), timedelta(hours=23)), [Reason("data", "version", "6", "7")]),
        (
            taken_over(planned(), timedelta(hours=25)),
            [Reason("stale", "version", "taken over at 2026-02-28T11:00:00+00:00", "7")],
        ),
        (baseline(planned(), timedelta(days=100)), []),
    ],
)
def test_a_baseline_that_was_taken_over_grows_stale_though_its_data_version_is_known(before, expected):
    """What changed before it was taken over nobody knows."""
    assert reasons(planned(), before) == expected
