"""What a stored time, a stored value and a bare name mean."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store.legacy import Owners
from profilemesh_airflow.store.legacy_rows import moment_of, value_of

ORDERS = TableRef("orders", "sales")
UTC = timezone.utc


@pytest.mark.parametrize(
    ("stored", "moment"),
    [
        ("2024-01-01 10:00:00.000000", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("2024-01-01 10:00:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("2024-01-01T10:00:00.5", datetime(2024, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-01-01T10:00:00.123456789Z", datetime(2024, 1, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2024-01-01T10:00:00+02:00", datetime(2024, 1, 1, 8, tzinfo=UTC)),
        ("2024-01-01 10:00:00+02", datetime(2024, 1, 1, 8, tzinfo=UTC)),
        ("2024-01-01 10:00:00 -0530", datetime(2024, 1, 1, 15, 30, tzinfo=UTC)),
        ("2024-01-01 10:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("2024-01-01", datetime(2024, 1, 1, tzinfo=UTC)),
        (" 2024-01-01 ", datetime(2024, 1, 1, tzinfo=UTC)),
        (datetime(2024, 1, 1, 10), datetime(2024, 1, 1, 10, tzinfo=UTC)),  # noqa: DTZ001 - what a driver gives
        (datetime(2024, 1, 1, 10, tzinfo=timezone(timedelta(hours=2))), datetime(2024, 1, 1, 8, tzinfo=UTC)),
        ("2024-13-01", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1704103200, None),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-2))), None),
    ],
)
def test_a_time_is_read_in_every_spelling(stored, moment):
    assert moment_of(stored) == moment


zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.none() | zones)  # noqa: DTZ001


@given(moments, st.sampled_from("T "))
def test_any_time_written_as_iso_text_comes_back(moment, separator):
    expected = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    assert moment_of(moment.isoformat(separator)) == expected


@pytest.mark.parametrize(
    ("metric", "stored", "kind", "value"),
    [
        ("max", "10", "INTEGER", 10),
        ("max", "10.50", "NUMERIC", 10.5),
        ("max", "1E+3", "NUMERIC", 1000.0),
        ("max", "-.5", "REAL", -0.5),
        ("max", "007", "INTEGER", 7),
        ("max", "007", "VARCHAR(3)", "007"),
        ("max_length", "007", "VARCHAR(3)", 7),
        ("max", "nan", "REAL", "nan"),
        ("max", "Infinity", "REAL", "Infinity"),
        ("max", "1e999", "REAL", "1e999"),
        ("max", "1_000", "INTEGER", "1_000"),
        ("max", "٣", "INTEGER", "٣"),
        ("max", " 1", "INTEGER", " 1"),
        ("max", "9" * 5000, "INTEGER", "9" * 5000),
        ("max", "2024-01-01", "DATE", "2024-01-01"),
        ("max", "", "DATE", ""),
        ("max", "True", "BOOLEAN", "True"),
        ("mean", None, "REAL", None),
        ("mean", 1.5, "REAL", 1.5),
        ("new_metric", "12", "TEXT", 12),
        ("histogram", None, "REAL", None),
        ("histogram", "[]", "REAL", []),
        ("histogram", "[{'bin_start': 1}]", "REAL", "[{'bin_start': 1}]"),
        ("histogram", '[{"bin_start": 1, "bin_end": 2}]', "REAL", '[{"bin_start": 1, "bin_end": 2}]'),
        *(
            ("histogram", broken, "REAL", broken)
            for edge, count in [("NaN", "1"), ('"x"', "1"), ("1", "1.5"), ("1", "-1"), ("1", "true"), ("1e999", "1")]
            for broken in [f'[{{"bin_start": {edge}, "bin_end": 2, "count": {count}}}]']
        ),
        ("histogram", "{}", "REAL", "{}"),
        ("histogram", "[" * 100_000, "REAL", "[" * 100_000),
    ],
)
def test_a_value_is_a_number_where_its_text_is_one(metric, stored, kind, value):
    found = value_of(metric, stored, kind)
    assert (found, type(found)) == (value, type(value))


finite = st.floats(allow_nan=False, allow_infinity=False)
bins = st.fixed_dictionaries({"bin_start": finite, "bin_end": finite, "count": st.integers(0)})


@given(st.integers() | finite)
def test_any_number_written_as_text_comes_back(number):
    assert (value_of("mean", str(number), "REAL"), type(value_of("mean", str(number), "REAL"))) == (
        number,
        type(number),
    )


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_any_decimal_comes_back_as_a_number(number):
    assert value_of("max", str(number), "NUMERIC(38, 4)") == float(number)


@given(st.lists(bins))
def test_any_histogram_comes_back(histogram):
    assert value_of("histogram", json.dumps(histogram), "REAL") == histogram


@given(st.text(), st.sampled_from(["max", "histogram", "unknown"]), st.sampled_from(["TEXT", "INTEGER", ""]))
def test_any_text_becomes_a_value_that_is_fit_for_json(text, metric, kind):
    json.dumps(value_of(metric, text, kind), allow_nan=False)


def test_a_name_that_two_tables_of_the_plan_have_is_neither_ones():
    one, other = TableRef("orders", "sales", "first"), TableRef("orders", "sales", "second")
    assert Owners([one]).owner(ORDERS) == one
    assert Owners([one]).named(one.key) == ORDERS
    for owners in (Owners([one, other]), Owners([one, ORDERS])):
        assert owners.owner(ORDERS) == ORDERS
        assert owners.named(one.key) is None
    assert Owners([one, ORDERS]).named(ORDERS.key) == ORDERS
    assert Owners([]).named(ORDERS.key) is None
