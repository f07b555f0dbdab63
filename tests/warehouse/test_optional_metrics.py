"""The metrics that have to be asked for by name, against plain Python."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from profilemesh_airflow.core.plan import ALL_METRICS, METRICS, TableSettings
from profilemesh_airflow.warehouse.results import LONGEST_TEXT
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.warehouse.databases import Database

pytestmark = pytest.mark.usefixtures("either_way")

OPTIONAL = tuple(name for name in ALL_METRICS if name not in METRICS)
QUANTILES = {
    "p05": Fraction(1, 20),
    "p25": Fraction(1, 4),
    "p50": Fraction(1, 2),
    "p75": Fraction(3, 4),
    "p95": Fraction(19, 20),
}


def quantiles(values: Sequence[Any]) -> dict[str, Any]:
    """The values at the least ranks that are at least the given shares of all."""
    ordered = sorted(values)
    return {
        name: ordered[math.ceil(share * len(ordered)) - 1] if ordered else None for name, share in QUANTILES.items()
    }


def top_values(values: Sequence[Any]) -> list[dict[str, Any]]:
    numbers = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))[:10]
    return [{"value": value, "count": count} for value, count in numbers]


def of_numbers(values: Sequence[Any]) -> dict[str, Any]:
    present = [value for value in values if value is not None]
    finite = [value for value in present if math.isfinite(value)]
    return {
        **quantiles(finite),
        "zero_count": sum(value == 0 for value in present),
        "negative_count": sum(value < 0 for value in present),
        "top_values": top_values(finite),
    }


def of_texts(values: Sequence[str | None]) -> dict[str, Any]:
    present = [value for value in values if value is not None]
    return {
        "empty_count": present.count(""),
        "min_text": min(present, default=None),
        "max_text": max(present, default=None),
        "top_values": top_values(present),
    }


def quiet(test: Any) -> Any:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples(40), deadline=None, suppress_health_check=checks)(test)


def test_they_are_not_computed_unless_they_are_named() -> None:
    assert set(TableSettings().metrics).isdisjoint(OPTIONAL)
    assert set(TableSettings(metrics=OPTIONAL).metrics) == set(OPTIONAL)


@quiet
@given(values=st.lists(st.none() | st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=60))
def test_of_any_integers(database: Database, values: list[int | None]) -> None:
    assert database.column_of("integer", values, metrics=OPTIONAL).metrics == of_numbers(values)


@quiet
@given(values=st.lists(st.none() | st.sampled_from([0.0, -0.5, math.inf, -math.inf]) | st.floats(-5, 5), max_size=60))
def test_of_any_doubles(database: Database, values: list[float | None]) -> None:
    if database.kind == "mysql":  # which has no infinities
        values = [value for value in values if value is None or math.isfinite(value)]
    assert database.column_of("double", values, metrics=OPTIONAL).metrics == of_numbers(values)


def test_nan_is_no_quantile(postgres: Database) -> None:
    values = [math.nan, math.nan, math.nan, 1.0, 2.0]
    metrics = postgres.column_of("double", values, metrics=OPTIONAL).metrics
    assert (metrics["p50"], metrics["p95"], metrics["negative_count"]) == (1.0, 2.0, 0)
    assert metrics["top_values"] == [{"value": 1.0, "count": 1}, {"value": 2.0, "count": 1}]


@quiet
@given(
    values=st.lists(
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3), max_size=30
    )
)
def test_of_any_texts(database: Database, values: list[str | None]) -> None:
    assert database.column_of("text", values, metrics=OPTIONAL).metrics == of_texts(values)


def test_a_long_text_is_cut(database: Database) -> None:
    metrics = database.column_of("text", ["x" * 1000], metrics=("max_text", "top_values")).metrics
    cut = "x" * (LONGEST_TEXT - 1) + "…"
    assert metrics == {"max_text": cut, "top_values": [{"value": cut, "count": 1}]}


def test_of_truth_values(database: Database) -> None:
    metrics = database.column_of("boolean", [True, True, False, None], metrics=OPTIONAL).metrics
    expected = [{"value": True, "count": 2}, {"value": False, "count": 1}]
    assert metrics == {"true_count": 2, "false_count": 1, "top_values": expected}
    assert metrics["top_values"][0]["value"] is True


def test_of_times(database: Database) -> None:
    values = ["2024-01-01 12:00:00", "2024-01-01 12:00:00", "1890-05-06 01:02:03", None]
    metrics = database.column_of("timestamp", values, metrics=(*OPTIONAL, "min")).metrics
    assert metrics == {
        "min": "1890-05-06T01:02:03",
        "top_values": [{"value": "2024-01-01T12:00:00", "count": 2}, {"value": "1890-05-06T01:02:03", "count": 1}],
    }


def test_of_decimals(postgres: Database) -> None:
    metrics = postgres.column_of("numeric(10,2)", ["1.10", "1.10", "-2.20", "0.00"], metrics=OPTIONAL).metrics
    assert (metrics["p05"], metrics["p50"], metrics["zero_count"], metrics["negative_count"]) == (-2.2, 0.0, 1, 1)
    assert metrics["top_values"][0] == {"value": 1.1, "count": 2}


def test_of_values_that_can_only_be_told_apart(postgres: Database) -> None:
    metrics = postgres.column_of("inet", ["10.0.0.1", "10.0.0.1", "10.0.0.2"], metrics=OPTIONAL).metrics
    assert metrics == {"top_values": [{"value": "10.0.0.1", "count": 2}, {"value": "10.0.0.2", "count": 1}]}


def test_bytes_among_texts_of_sqlite_are_no_text(sqlite: Database) -> None:
    metrics = sqlite.column_of("text", ["b", b"\xff", "a"], metrics=OPTIONAL).metrics
    assert metrics == of_texts(["b", "a"])


def test_nothing_gives_nothing(database: Database) -> None:
    database.create("t", {"i": "integer", "s": "text", "b": "boolean"})
    number, text, truth = database.profile("t", metrics=OPTIONAL).columns
    assert (number.metrics, text.metrics) == (of_numbers([]), of_texts([]))
    assert truth.metrics == {"true_count": 0, "false_count": 0, "top_values": []}


@pytest.mark.parametrize("name", ["postgres", "duckdb", "mysql"])
def test_the_most_frequent_times_of_day_are_found(name: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(name)
    values = ["12:00:00", "12:00:00", "01:02:03", None]
    assert database.column_of("time", values, metrics=("top_values", "max")).metrics == {
        "max": "12:00:00",
        "top_values": [{"value": "12:00:00", "count": 2}, {"value": "01:02:03", "count": 1}],
    }


@pytest.mark.parametrize("name", ["postgres", "duckdb"])
def test_infinite_times_are_not_among_the_most_frequent(name: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(name)
    values = ["infinity", "infinity", "-infinity", "2024-01-01"]
    metrics = database.column_of("date", values, metrics=("top_values", "min", "max")).metrics
    assert metrics == {"min": "2024-01-01", "max": "2024-01-01", "top_values": [{"value": "2024-01-01", "count": 1}]}
