"""Columns of every other kind: texts, times, truth values, opaque ones, and those that are not profiled."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import polars as pl
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from profilemesh_airflow.core.plan import METRICS
from tests.examples import examples
from tests.warehouse.oracle import close, counts, frame_metrics

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

pytestmark = pytest.mark.usefixtures("either_way")

COUNTS = ["count", "null_count", "null_percent", "distinct_count", "distinct_percent"]
LENGTHS = ["min_length", "max_length", "avg_length"]
NUMBERS = ["min", "max", "mean", "stddev", "histogram"]


@pytest.mark.parametrize(
    ("kind", "metrics"),
    [
        ("integer", COUNTS + NUMBERS),
        ("double", COUNTS + NUMBERS),
        ("decimal", COUNTS + NUMBERS),
        ("text", COUNTS + LENGTHS),
        ("timestamp", [*COUNTS, "min", "max"]),
        ("date", [*COUNTS, "min", "max"]),
        ("boolean", COUNTS),
    ],
)
def test_a_kind_of_column_has_its_metrics_in_the_order_of_the_format(
    database: Database, kind: str, metrics: list[str]
) -> None:
    assert list(database.column_of(kind, [None]).metrics) == [name for name in METRICS if name in metrics]


def test_an_empty_table_has_counts_and_nothing_else(database: Database) -> None:
    database.create("t", {"i": "integer", "d": "double", "s": "text", "at": "timestamp", "b": "boolean"})
    profile = database.profile("t")
    assert profile.row_count == 0
    for column in profile.columns:
        known = {name: value for name, value in column.metrics.items() if value is not None}
        assert known == {"count": 0, "null_count": 0, "distinct_count": 0} | (
            {"histogram": []} if "histogram" in column.metrics else {}
        )


def test_a_column_of_nulls_has_counts_and_nothing_else(database: Database) -> None:
    database.create("t", {"i": "integer", "d": "double", "s": "text", "at": "date", "b": "boolean"}, [(None,) * 5] * 4)
    for column in database.profile("t").columns:
        known = {name: value for name, value in column.metrics.items() if value is not None}
        assert known == counts([None] * 4, 0) | ({"histogram": []} if "histogram" in column.metrics else {})


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9))
)
def test_texts_are_measured_in_characters(database: Database, values: list[str | None]) -> None:
    metrics = database.column_of("text", values).metrics
    if any(value is not None for value in values):
        assert metrics == frame_metrics(pl.Series("v", values, dtype=pl.String))


def test_texts_that_the_database_holds_for_equal_are_one_value_yet_keep_their_lengths(postgres: Database) -> None:
    try:
        postgres.run("CREATE COLLATION same (provider = icu, locale = 'und-u-ka-shifted', deterministic = false)")
    except psycopg2.errors.FeatureNotSupported:
        pytest.skip("this PostgreSQL is built without ICU, which such a collation needs")
    postgres.run(
        "CREATE TABLE t (v text COLLATE same)",
        "INSERT INTO t VALUES ('ab'), ('a b'), ('a  b'), ('c')",
    )
    metrics = postgres.column("t", "v").metrics
    assert (metrics["distinct_count"], metrics["min_length"], metrics["max_length"]) == (2, 1, 4)
    assert metrics["avg_length"] == 2.5


def test_sqlite_texts_under_rtrim_keep_their_lengths(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (v TEXT COLLATE RTRIM)", "INSERT INTO t VALUES ('a'), ('a   '), ('b')")
    metrics = sqlite.column("t", "v").metrics
    assert (metrics["distinct_count"], metrics["max_length"], metrics["avg_length"]) == (2, 4, 2.0)


def test_padded_texts_are_measured_without_their_blanks(postgres: Database) -> None:
    metrics = postgres.column_of("char(5)", ["a", "ab", "ab   "]).metrics
    assert (metrics["min_length"], metrics["max_length"], metrics["distinct_count"]) == (1, 2, 2)


def test_truth_values_are_counted(database: Database) -> None:
    column = database.column_of("boolean", [True, False, True, None])
    assert column.metrics == counts([True, False, True, None], 2)


@pytest.mark.parametrize(
    ("kind", "values", "low", "high"),
    [
        (
            "timestamp",
            ["2024-02-29 12:00:00", "2023-12-31 23:59:59", None],
            "2023-12-31T23:59:59",
            "2024-02-29T12:00:00",
        ),
        ("date", ["2024-02-29", "1999-01-01"], "1999-01-01", "2024-02-29"),
        ("time", ["12:00:00", "01:02:03"], "01:02:03", "12:00:00"),
    ],
)
def test_times_are_given_as_iso_8601(database: Database, kind: str, values: list[str], low: str, high: str) -> None:
    metrics = database.column_of(kind, values).metrics
    assert metrics == {**counts(values, 2), "min": low, "max": high}


UNUSUAL_TIMES = {
    "timestamptz": (
        ["2024-01-01 00:00:00+05", "2024-01-01 12:00:00-03"],
        ("2023-12-31T19:00:00+00:00", "2024-01-01T15:00:00+00:00"),
    ),
    "timestamp": (
        ["infinity", "-infinity", "2024-01-01", "2024-01-02 03:04:05.678"],
        ("2024-01-01T00:00:00", "2024-01-02T03:04:05.678"),
    ),
    "date": (["0044-03-15 BC", "12024-01-01"], ("0044-03-15 BC", "12024-01-01")),
    "timestamp(0)": (["infinity"], (None, None)),
    "timetz": (["12:00:00+01", "12:00:00-01"], ("12:00:00+01", "12:00:00-01")),
}


@pytest.mark.parametrize(("kind", "values", "extremes"), [(kind, *case) for kind, case in UNUSUAL_TIMES.items()])
def test_unusual_times_of_postgres(
    postgres: Database, kind: str, values: list[str], extremes: tuple[str | None, str | None]
) -> None:
    postgres.run(
        "SET DateStyle = 'German'", f"CREATE TABLE t (v {kind})", f"INSERT INTO t SELECT unnest(array{values})::{kind}"
    )
    metrics = postgres.column("t", "v").metrics
    assert (metrics["min"], metrics["max"]) == extremes
    assert metrics["distinct_count"] == len(values)


def test_sqlite_times_may_be_stored_as_numbers_and_are_given_as_stored(sqlite: Database) -> None:
    metrics = sqlite.column_of("timestamp", [1700000000, 1600000000.5, b"\x01", math.inf]).metrics
    assert (metrics["min"], metrics["max"], metrics["distinct_count"]) == (1600000000.5, 1700000000, 4)


@pytest.mark.parametrize(
    ("values", "metrics"),
    [
        ([1, 2.5, None], COUNTS + NUMBERS),
        (["a", "bc"], COUNTS + LENGTHS),
        ([None], COUNTS),
        ([], COUNTS),
        ([1, "a"], []),
        ([b"x"], []),
    ],
)
def test_a_sqlite_column_without_a_type_is_what_it_holds(
    sqlite: Database, values: list[Any], metrics: list[str]
) -> None:
    sqlite.create("t", {"v": "", "w": "integer"}, [(value, 1) for value in values])
    column, other = sqlite.profile("t").columns
    assert sorted(column.metrics) == sorted(metrics)
    assert column.errors == ({} if metrics else {"*": "not profiled: no declared type, and values of several kinds"})
    assert other.errors == {}


AWKWARD = {
    "uuid": "gen_random_uuid()",
    "inet": "'10.0.0.1'",
    "macaddr": "'08:00:2b:01:02:03'",
    "interval": "'1 day'",
    "money": "12.34::numeric::money",
    "bit(3)": "B'101'",
    "varbit": "B'1'",
    "oid": "5",
    "pg_lsn": "'16/B374D848'",
}
NOT_PROFILED = {
    "json": "'{}'",
    "jsonb": "'{}'",
    "bytea": "'\\x00'",
    "xml": "NULL",  # some servers are built without support for its values
    "integer[]": "'{1,2}'",
    "int4range": "'[1,2)'",
    "point": "'(1,2)'",
    "polygon": "'((0,0),(1,1))'",
    "tsvector": "'a b'",
    "tsquery": "'a & b'",
}


def test_opaque_types_are_counted_and_documents_are_listed_as_not_profiled(postgres: Database) -> None:
    types = AWKWARD | NOT_PROFILED
    names = {kind: f"c{number}" for number, kind in enumerate(types)}
    postgres.run(
        f"CREATE TABLE t ({', '.join(f'{name} {kind}' for kind, name in names.items())})",
        f"INSERT INTO t SELECT {', '.join(types.values())}",
        "INSERT INTO t SELECT * FROM t",
        "INSERT INTO t (c0) VALUES (NULL)",
    )
    columns = {column.name: column for column in postgres.profile("t").columns}
    for kind in AWKWARD:
        assert columns[names[kind]].metrics == counts([1, 1, None], 1), kind
        assert columns[names[kind]].errors == {}
    for kind in NOT_PROFILED:
        assert columns[names[kind]].metrics == {}
        assert columns[names[kind]].errors == {"*": f"not profiled: type {kind}"}


def test_user_defined_types_are_profiled_by_what_they_are_made_of(postgres: Database) -> None:
    postgres.run(
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')",
        "CREATE DOMAIN share AS double precision CHECK (VALUE BETWEEN 0 AND 1)",
        "CREATE DOMAIN word AS varchar(10)",
        "CREATE TABLE t (m mood, s share, w word)",
        "INSERT INTO t VALUES ('glad', 0.25, 'ab'), ('sad', 0.75, 'abcd'), ('sad', NULL, NULL)",
    )
    mood, share, word = postgres.profile("t").columns
    assert mood.metrics == counts(["glad", "sad", "sad"], 2)
    assert (share.metrics["mean"], share.metrics["max"]) == (0.5, 0.75)
    assert (word.metrics["avg_length"], word.metrics["distinct_count"]) == (3.0, 2)


def test_whatever_a_table_holds_the_metrics_are_fit_for_json(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE t (a float8, b numeric, c real, d timestamp, e bigint, f numeric(20,0))",
        "INSERT INTO t VALUES ('NaN', 'NaN', 'infinity', 'infinity', 9223372036854775807, 99999999999999999999)",
        "INSERT INTO t VALUES ('-infinity', 1e300, '-infinity', '-infinity', -9223372036854775808, 0)",
    )
    for column in postgres.profile("t").columns:
        assert column.errors == {}
        json.dumps(dict(column.metrics), allow_nan=False)


def test_only_the_metrics_asked_for_are_computed(database: Database) -> None:
    database.create("t", {"i": "integer", "s": "text"}, [(1, "a"), (2, "bc")])
    number, text = database.profile("t", metrics=("mean", "max_length", "count")).columns
    assert number.metrics == {"count": 2, "mean": 1.5}
    assert text.metrics == {"count": 2, "max_length": 2}


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_alone_is_the_same_as_among_all(database: Database, metric: str) -> None:
    rows = [(i % 7, i / 3, f"text {i % 5}" * (i % 3), "2024-01-01", None) for i in range(50)]
    columns = {"i": "integer", "d": "double", "s": "text", "at": "timestamp", "n": "integer"}
    database.create("t", columns, rows)
    everything = database.profile("t").columns
    for alone, all_metrics in zip(database.profile("t", metrics=(metric,)).columns, everything, strict=True):
        assert alone.errors == {}
        assert alone.metrics == close({name: value for name, value in all_metrics.metrics.items() if name == metric})
