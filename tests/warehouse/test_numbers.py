"""Columns of numbers, from the ordinary to the extreme, against exact fractions."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.examples import examples
from tests.warehouse.oracle import check_numbers

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

pytestmark = pytest.mark.usefixtures("either_way")

HUGE = 1.7e308
NAN, INFINITE = math.nan, math.inf
GREATEST, SMALLEST = 2**63 - 1, -(2**63)

FLOATS = {
    "nothing": [],
    "NULL alone": [None, None],
    "one value": [1.5],
    "one value many times": [2.5] * 7,
    "zeros of both signs": [0.0, -0.0, 1.0],
    "a large offset": [1e9 + i / 1000 for i in range(-50, 51)],
    "an outlier": [*([1.0] * 50), 1e12],
    "edges of bins": [i / 10 for i in range(11)],
    "not quite edges": [0.1 + 0.2, 0.3, 0.30000000000000004, 0.7999999999999999, 0.8, 1.0, 0.0],
    "the range of doubles": [-HUGE, 0.0, HUGE / 3, HUGE / 2, None],
    "large": [1e200, 2e200, 3e200],
    "small": [1e-200, 2e-200, 3e-200],
    "smallest": [5e-324, 1e-323, 0.0],
    "large and small": [1e-300, 1.0, 1e300],
    "neighbours": [1.0, math.nextafter(1.0, 2.0)],
    "far from zero": [-1e15, -1e15 + 0.125, -1e15 + 7],
}

#: SQLite stores NaN as NULL, so that it has only infinities.
INFINITIES = {
    "both infinities": [INFINITE, -INFINITE, 1.0, 2.0, 4.0],
    "infinity alone": [INFINITE, INFINITE],
    "infinity beside one value": [3.0, 3.0, -INFINITE],
    "infinity and NULL": [INFINITE, None],
}
NANS = {
    "NaN twice": [NAN, NAN, 1.0, 2.0, 4.0],
    "NaN alone": [NAN],
    "everything": [NAN, INFINITE, -INFINITE, None, -1.0, 0.5, 0.5],
}
INTEGERS = {
    "small": [1, 2, 3, 3, None],
    "negative": [-5, -1, -1],
    "beyond doubles": [2**53, 2**53 + 1, 2**53 + 2],
    "nearly equal and large": [2**62 + i for i in range(20)],
    "equal as doubles": [2**62, 2**62 + 1],
    "the greatest": [GREATEST, GREATEST - 1, GREATEST - 5],
    "extremes": [SMALLEST, GREATEST],
    "extremes and more": [SMALLEST, -1, 0, 1, GREATEST, None],
    "the widest span that is exact": [SMALLEST, -1],
}
DECIMALS = {
    "cents": [Decimal("0.10"), Decimal("0.20"), Decimal("0.30"), Decimal("0.70"), Decimal("1.10")],
    "38 digits": [Decimal("1" * 38), Decimal("1" * 37 + "9"), Decimal("2" * 38)],
    "38 digits and near": [Decimal("9" * 37 + str(digit)) for digit in range(10)],
    "38 decimals": [Decimal("0." + "0" * 36 + "12"), Decimal("0." + "0" * 36 + "90")],
    "a large offset": [Decimal("1000000000") + Decimal(i) / 1000 for i in range(30)],
    "the range of doubles": [Decimal("-1.7e308"), Decimal("1e300"), Decimal("1.7e308") / 3],
}


@pytest.mark.parametrize("values", [*FLOATS.values(), *INFINITIES.values()], ids=[*FLOATS, *INFINITIES])
def test_doubles_have_exact_metrics(database: Database, values: list[Any]) -> None:
    if database.kind == "mysql" and values in INFINITIES.values():
        pytest.skip("there are no infinities")
    check_numbers(database.column_of("double", values).metrics, values)


@pytest.mark.parametrize("values", NANS.values(), ids=list(NANS))
@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_nan_is_one_value_and_has_no_place_in_the_statistics(
    request: pytest.FixtureRequest, kind: str, values: list[Any]
) -> None:
    check_numbers(request.getfixturevalue(kind).column_of("double", values).metrics, values)


@pytest.mark.parametrize("values", NANS.values(), ids=list(NANS))
def test_sqlite_stores_nan_as_null(sqlite: Database, values: list[Any]) -> None:
    stored = [None if value is not None and math.isnan(value) else value for value in values]
    check_numbers(sqlite.column_of("double", values).metrics, stored)


@pytest.mark.parametrize("values", INTEGERS.values(), ids=list(INTEGERS))
def test_integers_have_exact_metrics(database: Database, values: list[Any]) -> None:
    metrics = database.column_of("integer", values).metrics
    check_numbers(metrics, values)
    assert type(metrics["min"]) is int


@pytest.mark.parametrize("kind", ["smallint", "integer"])
def test_short_integers_do_not_overflow(postgres: Database, kind: str) -> None:
    limit = 2**15 if kind == "smallint" else 2**31
    values = [-limit, limit - 1, 0, 1]
    check_numbers(postgres.column_of(kind, values).metrics, values)


@pytest.mark.parametrize("values", DECIMALS.values(), ids=list(DECIMALS))
def test_decimals_have_exact_metrics(postgres: Database, values: list[Decimal]) -> None:
    metrics = postgres.column_of("decimal", values).metrics
    assert metrics["distinct_count"] == len(values)
    check_numbers({**metrics, "min": min(values), "max": max(values)}, values)
    assert (metrics["min"], metrics["max"]) == (float(min(values)), float(max(values)))


EXACT = {
    "cents": ("decimal(38,10)", DECIMALS["cents"]),
    "38 digits": ("decimal(38,0)", DECIMALS["38 digits"]),
    "38 digits and near": ("decimal(38,0)", DECIMALS["38 digits and near"]),
    "38 digits of both signs": ("decimal(38,0)", [Decimal(10**38 - 1), Decimal(1 - 10**38), Decimal(5)]),
    "decimals, far and near": ("decimal(38,18)", [Decimal(10**19) + Decimal(i) / 10**9 for i in range(20)]),
    "decimals of both signs": ("decimal(38,18)", [Decimal(10**19), -Decimal(10**19), Decimal("0.000000001")]),
}
LIMITED = {
    "mysql": {
        **EXACT,
        "65 digits": ("decimal(65,0)", [Decimal("9" * 64 + str(digit)) for digit in range(10)]),
        "65 digits of both signs": ("decimal(65,0)", [Decimal("9" * 65), Decimal("-" + "9" * 65), Decimal(1)]),
        "unsigned": ("bigint unsigned", [2**64 - 1, 2**64 - 2, 2**64 - 9]),
        "unsigned and zero": ("bigint unsigned", [0, 1, 2**64 - 1]),
    },
    "duckdb": {
        **EXACT,
        "unsigned": ("UBIGINT", [2**64 - 1, 2**64 - 2, 2**64 - 9]),
        "128 bits": ("HUGEINT", [2**126, 2**126 + 1, 2**126 + 5]),
        "128 bits of both signs": ("HUGEINT", [2**127 - 1, 1 - 2**127, 0]),
        "unsigned and short": ("UTINYINT", [0, 255, 1]),
    },
}


@pytest.mark.parametrize(
    ("database", "kind", "values"),
    [
        pytest.param(name, *case, id=f"{name}-{about}")
        for name, cases in LIMITED.items()
        for about, case in cases.items()
    ],
    indirect=["database"],
)
def test_exact_numbers_are_exact_up_to_the_limits_of_their_type(
    database: Database, kind: str, values: list[Any]
) -> None:
    metrics = database.column_of(kind, values).metrics
    whole = not kind.startswith("decimal") or kind.endswith(",0)")
    expected = (min(values), max(values)) if whole else (float(min(values)), float(max(values)))
    assert (metrics["min"], metrics["max"]) == expected
    check_numbers({**metrics, "min": min(values), "max": max(values)}, values)


def test_a_decimal_column_without_decimals_gives_whole_numbers(postgres: Database) -> None:
    metrics = postgres.column_of("numeric(38,0)", [10**37 + 1, 5]).metrics
    assert (metrics["min"], metrics["max"]) == (5, 10**37 + 1)


def test_decimals_that_are_not_finite_are_left_out(postgres: Database) -> None:
    values = [Decimal("NaN"), Decimal("NaN"), Decimal("1e400"), Decimal("-1e400"), Decimal("0.5"), Decimal("2.5")]
    metrics = postgres.column_of("decimal", values).metrics
    assert (metrics["min"], metrics["max"], metrics["mean"]) == (0.5, 2.5, 1.5)
    assert metrics["distinct_count"] == 5
    assert metrics["stddev"] == pytest.approx(math.sqrt(2), rel=1e-12)
    assert sum(entry["count"] for entry in metrics["histogram"]) == 2


def test_single_precision_keeps_its_greatest_value_in_the_last_bin(postgres: Database) -> None:
    values = [0.1, 0.2, 0.3, 0.7, 0.9, 16777217.0]
    stored = [float(value) for (value,) in postgres.ask(f"SELECT unnest(array{values}::real[])::double precision")]
    check_numbers(postgres.column_of("real", values).metrics, stored)


def test_a_standard_deviation_beyond_doubles_is_an_error_of_its_own(database: Database) -> None:
    database.create("t", {"v": "double"}, [(-1.7e308,), (1.7e308,)])
    (column,) = database.profile("t").columns
    assert column.errors == {"stddev": "the standard deviation is beyond the greatest 64-bit floating-point number"}
    assert (column.metrics["min"], column.metrics["mean"], column.metrics["max"]) == (-1.7e308, 0.0, 1.7e308)
    assert [entry["count"] for entry in column.metrics["histogram"]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("bins", [1, 2, 3, 7, 100, 1000])
def test_any_number_of_bins_counts_every_value_once(database: Database, bins: int) -> None:
    values = [math.sqrt(i) for i in range(300)]
    metrics = database.column_of("double", values, histogram_bins=bins).metrics
    check_numbers(metrics, values, bins)
    assert len(metrics["histogram"]) == bins


def test_bins_narrower_than_doubles_are_empty(database: Database) -> None:
    values = [1e16, 1e16 + 2, 1e16 + 4]
    check_numbers(database.column_of("double", values).metrics, values)


def test_sqlite_leaves_texts_and_bytes_among_numbers_out_of_the_statistics(sqlite: Database) -> None:
    values = [1, 2.5, "many", "9 lives", b"\x00", None, 4, 4, math.inf]
    metrics = sqlite.column_of("decimal", values).metrics
    check_numbers(
        {**metrics, "count": 5, "null_count": 0, "null_percent": 0.0, "distinct_count": 4, "distinct_percent": 80.0},
        [1, 2.5, 4, 4, math.inf],
    )
    assert (metrics["count"], metrics["null_count"], metrics["distinct_count"]) == (9, 1, 7)


def _every_double(nan: bool) -> st.SearchStrategy[Any]:
    limit = sys.float_info.max / 4  # beyond it the standard deviation may not be a double
    finite = st.floats(min_value=-limit, max_value=limit)
    others = [INFINITE, -INFINITE, 0.0, -0.0, 5e-324, *([NAN] if nan else [])]
    return st.none() | finite | st.sampled_from(others)


def _lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, max_size=40)


def _property(strategy: st.SearchStrategy[Any]):
    """Check many columns of one database: the table is made anew each time, so that the fixture may be shared."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return lambda test: settings(max_examples=examples(60), deadline=None, suppress_health_check=quiet)(
        given(values=_lists(strategy), bins=st.integers(1, 30))(test)
    )


@_property(_every_double(nan=False))
def test_any_doubles_on_sqlite(sqlite: Database, values: list[Any], bins: int) -> None:
    check_numbers(sqlite.column_of("double", values, histogram_bins=bins).metrics, values, bins)


@_property(_every_double(nan=True))
def test_any_doubles_on_postgres(postgres: Database, values: list[Any], bins: int) -> None:
    check_numbers(postgres.column_of("double", values, histogram_bins=bins).metrics, values, bins)


@_property(st.none() | st.integers(SMALLEST, GREATEST) | st.integers(-3, 3))
def test_any_integers_on_sqlite(sqlite: Database, values: list[Any], bins: int) -> None:
    check_numbers(sqlite.column_of("integer", values, histogram_bins=bins).metrics, values, bins)


@_property(st.none() | st.integers(SMALLEST, GREATEST) | st.integers(-3, 3))
def test_any_integers_on_postgres(postgres: Database, values: list[Any], bins: int) -> None:
    check_numbers(postgres.column_of("integer", values, histogram_bins=bins).metrics, values, bins)


@_property(st.none() | st.decimals(min_value=-(10**20), max_value=10**20, places=6))
def test_any_decimals_on_postgres(postgres: Database, values: list[Any], bins: int) -> None:
    metrics = postgres.column_of("decimal", values, histogram_bins=bins).metrics
    present = [value for value in values if value is not None]
    if present:
        assert (metrics["min"], metrics["max"]) == (float(min(present)), float(max(present)))
        metrics = {**metrics, "min": min(present), "max": max(present)}
    check_numbers(metrics, values, bins)
