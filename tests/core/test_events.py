"""The record of an event: what every receiver may count on."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from profilemesh_airflow.core.events import EVENT_TYPES, Event, Origin, json_safe

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def test_the_types_of_event_are_those_of_the_contract():
    assert EVENT_TYPES == (
        "plan_refreshed",
        "change_detected",
        "profiling_started",
        "profiling_completed",
        "profiling_failed",
        "profiling_skipped",
        "drift_detected",
        "schema_changed",
        "table_removed",
    )


def test_a_record_is_flat_and_names_its_version():
    origin = Origin("dag", "run", "task", 3)
    event = Event("profiling_completed", "prod", "shop", "sales.orders", {"row_count": 2}, origin, NOON, "ab12")
    assert event.as_dict() == {
        "schema_version": 1,
        "event_id": "ab12",
        "event_type": "profiling_completed",
        "timestamp": "2026-03-01T12:00:00+00:00",
        "environment": "prod",
        "source": "shop",
        "table_key": "sales.orders",
        "dag_id": "dag",
        "dag_run_id": "run",
        "task_id": "task",
        "map_index": 3,
        "row_count": 2,
    }


def test_data_override_no_key_of_the_record():
    document = Event("mine", data={"event_type": "other", "dag_id": "other", "more": 1}).as_dict()
    assert (document["event_type"], document["dag_id"], document["more"]) == ("mine", None, 1)


def test_two_events_have_two_ids_and_know_their_moment_in_utc():
    one, two = Event("a"), Event("a")
    assert one.event_id != two.event_id
    assert one.timestamp.utcoffset() == timedelta(0)


def test_a_hook_for_the_earlier_format_finds_the_data_by_their_former_name():
    assert Event("a", data={"rows": 1}).metadata == {"rows": 1}


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (float("nan"), None),
        (float("inf"), None),
        (1.5, 1.5),
        (True, True),
        (Decimal("1.50"), "1.50"),
        (NOON, "2026-03-01T12:00:00+00:00"),
        (date(2026, 3, 1), "2026-03-01"),
        (b"x", "b'x'"),
        (ValueError("no"), "no"),
    ],
)
def test_whatever_an_event_is_given_json_can_hold(value, safe):
    data = Event("a", data={"value": value}).data
    assert data == {"value": safe}
    json.dumps(data, allow_nan=False)


def test_secrets_are_blotted_out_of_every_text_however_deep():
    assert json_safe({"a": ["by pa55word"], "pa55word": {"b": "x"}}, ("pa55word",)) == {
        "a": ["by ***"],
        "***": {"b": "x"},
    }
