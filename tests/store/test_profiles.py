"""A profile comes back from its rows as it was."""

from __future__ import annotations

import math

from hypothesis import given, settings, strategies as st

from profilemesh_airflow.core.plan import METRICS
from profilemesh_airflow.core.profile import ColumnProfile
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store.profiles import columns_of, metric_rows

BINS = [{"bin_start": 0.0, "bin_end": 1.5, "count": 2}, {"bin_start": 1.5, "bin_end": 3.0, "count": 0}]
AWKWARD = (
    ColumnProfile("id", "BIGINT", {"count": 3, "min": 1, "max": 2**70, "mean": 0.1 + 0.2, "stddev": None}),
    ColumnProfile("ok", "BOOLEAN", {"min": False, "max": True, "distinct_count": 2}),
    ColumnProfile("name", "TEXT", {"min": "", "max": "5", "min_length": 0}, {"avg_length": "overflow"}),
    ColumnProfile("nul", "TEXT", {"min": "a\x00b", "max": "\ud800", "count": 1}),
    ColumnProfile("size", "DOUBLE PRECISION", {"min": -0.0, "max": 5e-324, "histogram": BINS, "mean": 1.7e308}),
    ColumnProfile("near", "TEXT", {"distinct_count": 9, "count": 9}, {}, frozenset({"distinct_count"})),
    ColumnProfile("blob", "BYTEA", {}, {"*": "BYTEA cannot be profiled"}),
    ColumnProfile("nothing asked", 'we"ird', {}, {}),
    ColumnProfile("id", "TEXT", {"count": 3}),
)


def written_and_read(columns):
    rows = metric_rows("run", TableRef("orders"), columns, profiled_at=None)
    return columns_of(rows), rows


def assert_same(found, expected):
    assert found == expected
    for one, other in zip(found, expected, strict=True):
        assert {name: type(value) for name, value in one.metrics.items()} == {
            name: type(value) for name, value in other.metrics.items()
        }


def test_awkward_values_keep_value_and_type():
    found, _ = written_and_read(AWKWARD)
    assert_same(found, AWKWARD)
    assert math.copysign(1, found[4].metrics["min"]) == -1


def test_awkward_values_survive_the_database(world):
    world.put("orders")
    world.refresh()
    world.profile("sales.orders", columns=AWKWARD)
    assert_same(world.results.latest("sales.orders").columns, AWKWARD)


def test_metrics_come_back_in_the_order_of_the_format():
    (column,), _ = written_and_read((ColumnProfile("id", "INT", dict.fromkeys(reversed(METRICS), 1)),))
    assert tuple(column.metrics) == METRICS


def test_rows_can_be_read_by_people_and_compared_as_numbers():
    _, rows = written_and_read(AWKWARD[:2])
    by_name = {(row["column_name"], row["metric_name"]): row for row in rows}
    assert by_name["id", "count"]["metric_value"] == "3"
    assert by_name["id", "max"]["numeric_value"] == float(2**70)
    assert by_name["ok", "max"]["metric_value"] == "true"
    assert by_name["ok", "max"]["numeric_value"] is None  # drift does not take it for a number, either
    assert by_name["id", "stddev"]["metric_value"] is None


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | st.text() | st.lists(st.dictionaries(st.text(), numbers), max_size=3)


@st.composite
def columns(draw):
    metrics = draw(st.dictionaries(st.sampled_from(METRICS), values))
    errors = draw(st.dictionaries(st.sampled_from(("*", *METRICS)), st.text()))
    approximate = draw(st.sets(st.sampled_from(sorted(metrics)))) if metrics else ()
    return ColumnProfile(draw(st.text()), draw(st.text()), metrics, errors, frozenset(approximate))


@given(st.lists(columns(), max_size=4).map(tuple))
@settings(deadline=None)
def test_any_profile_keeps_value_and_type(profile):
    found, rows = written_and_read(profile)
    assert_same(found, profile)
    assert len({(row["column_position"], row["metric_name"]) for row in rows}) == len(rows)
