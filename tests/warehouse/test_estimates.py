"""``approximate``: what it saves, how far off it is, and when it is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql as mysql_package

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.exceptions import ProfileError
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.dialects.base import Dialect
from profilemesh_airflow.warehouse.dialects.postgres import PostgresDialect
from profilemesh_airflow.warehouse.estimates import SAMPLE
from profilemesh_airflow.warehouse.relation import Relation
from tests.warehouse.test_queries import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.core.profile import TableProfile
    from tests.warehouse.databases import Database

ROWS = 4 * SAMPLE
ESTIMATED = {"distinct_count", "distinct_percent"}
SHAPE = {"histogram", "stddev"}
MYSQL_DISTINCT = {
    "i": ROWS,
    "few": 7,
    "some": 3001,
    "many": 20011,
    "price": 30011,
    "words": 40009,
    "folded": 30000,
    "truth": 2,
    "moment": ROWS,
    "day": 400,
    "huge": 5000,
    "single": 25013,
    "bits": 100003,
    "choice": 2,
}


@pytest.fixture
def large(postgres: Database) -> Database:
    """Columns of one, few, some and many values, and of every kind that is hashed in its own way."""
    postgres.run(
        "CREATE TABLE t AS SELECT i, i % 7 AS few, (i * 7919) % 3001 AS some, (i * 7919) % 20011 / 7.0::float8 AS many,"
        " CAST(i % 30011 / 100.0 AS numeric(12,2)) AS price, 'text ' || i % 40009 AS words, i % 2 = 0 AS truth,"
        " timestamp '2024-01-01' + i * interval '1 second' AS moment, date '2024-01-01' + i % 400 AS day,"
        " CASE WHEN i % 1000 = 0 THEN i / 1000 ELSE 0 END AS rare, 5 AS one,"
        " CASE i WHEN 1 THEN 'NaN'::float8 ELSE i % 100 END AS odd, md5((i % 50000)::text)::uuid AS id"
        f" FROM generate_series(1, {ROWS}) AS g(i)",
        "ANALYZE t",
    )
    return postgres


@pytest.fixture
def large_mysql(mysql: Database) -> Database:
    """The same kinds of columns on MySQL or MariaDB; under the collation of `folded` upper and lower case are equal."""
    mysql.run("CREATE TABLE n (i bigint)", "INSERT INTO n VALUES (1)")
    size = 1
    while size < ROWS:
        mysql.run(f"INSERT INTO n SELECT i + {size} FROM n")
        size *= 2
    mysql.run(
        "CREATE TABLE t (i bigint, few int, some int, many double, price decimal(12,2), words longtext,"
        " folded varchar(40) COLLATE utf8mb4_general_ci, truth tinyint(1), moment datetime(3), day date,"
        " huge bigint unsigned, single float, bits bit(17), choice enum('a', 'B'))",
        "INSERT INTO t SELECT i, i % 7, (i * 7919) % 3001, (i * 7919) % 20011 / 7e0, i % 30011 / 100,"
        " concat('text ', i % 40009), concat(if(i % 2, 'text ', 'TEXT '), i % 30000, if(i % 3, ' ', '')), i % 2,"
        " timestamp '2024-01-01 00:00:00' + interval i * 1500 microsecond, date '2024-01-01' + interval i % 400 day,"
        " 18446744073709551615 - i % 5000, i % 25013 / 100e0, i % 100003, if(i % 2, 'a', 'B') FROM n",
        "ANALYZE TABLE t",
    )
    return mysql


def by_name(profile: TableProfile) -> dict[str, Any]:
    assert all(column.errors == {} for column in profile.columns)
    return {column.name: column for column in profile.columns}


@pytest.mark.parametrize("looks", [1, 2])
def test_every_column_is_estimated(
    large: Database, statements: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    if looks == 2:
        # As on databases that cannot make one string of many values.
        monkeypatch.setattr(PostgresDialect, "carry", Dialect.carry)
    with statements() as sent:
        estimated = large.profile("t", approximate=True)
    # Two connections share the first look; not all finite is `odd`: one scan without NaN, one of its groups.
    assert len(reading(sent)) == 2 + (looks - 1) + 1 + 1
    assert estimated.strategy["approximated_from_one_row_in"] == 4
    exact = by_name(large.profile("t"))
    for name, column in by_name(estimated).items():
        expected = exact[name].metrics
        tolerance = 0.4 if name == "rare" else 0.08
        assert column.metrics["distinct_count"] == pytest.approx(expected["distinct_count"], rel=tolerance), name
        assert column.approximate >= ESTIMATED or name == "one"
        exactly = {metric: value for metric, value in expected.items() if metric not in column.approximate}
        assert {metric: column.metrics[metric] for metric in exactly} == {
            metric: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            for metric, value in exactly.items()
        }, name
        if "histogram" in column.approximate:
            assert column.metrics["stddev"] == pytest.approx(expected["stddev"], rel=0.25 if name == "rare" else 0.03)
            counts = [entry["count"] for entry in column.metrics["histogram"]]
            assert sum(counts) == pytest.approx(ROWS, rel=1e-4)
            assert counts == pytest.approx([entry["count"] for entry in expected["histogram"]], abs=ROWS / 50)
    assert {name for name, column in by_name(estimated).items() if column.approximate >= SHAPE} == {
        "i",
        "few",
        "some",
        "many",
        "price",
        "rare",
    }


def test_rows_that_cannot_be_carried_are_looked_at_again(large: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = sa.func.no_such_function()
    monkeypatch.setattr(PostgresDialect, "carry", lambda *_: refused)
    (column,) = (column for column in large.profile("t", approximate=True).columns if column.name == "i")
    assert (column.errors, column.approximate) == ({}, ESTIMATED | SHAPE)
    assert column.metrics["stddev"] == pytest.approx(ROWS / 12**0.5, rel=0.03)


def test_a_table_that_grew_since_it_was_analyzed_is_drawn_from_as_it_is(postgres: Database) -> None:
    postgres.run(
        f"CREATE TABLE t AS SELECT i FROM generate_series(1, {ROWS // 2}) AS g(i)",
        "ANALYZE t",
        "ALTER TABLE t SET (autovacuum_enabled = false)",
        f"INSERT INTO t SELECT i FROM generate_series(1, {ROWS * 3 // 2}) AS g(i)",
    )
    assert postgres.profile("t", approximate=True).strategy["approximated_from_one_row_in"] == 8


def test_nulls_take_no_part(postgres: Database) -> None:
    """They come as bytes that stand for them."""
    postgres.run(
        "CREATE TABLE t AS SELECT CASE WHEN i % 2 = 0 THEN i % 4 - 1 END AS i, NULL::int AS none,"
        " CASE WHEN i % 3 = 0 THEN (i % 9 / 3)::numeric(4,2) END AS n, CASE WHEN i % 5 = 0 THEN 'x' END AS s"
        f" FROM generate_series(1, {ROWS}) AS g(i)",
        "ANALYZE t",
    )
    found = by_name(postgres.profile("t", approximate=True))
    assert {name: column.metrics["distinct_count"] for name, column in found.items()} == {
        "i": 2,
        "none": 0,
        "n": 3,
        "s": 1,
    }
    assert found["i"].metrics["stddev"] == pytest.approx(1.0, rel=0.01)
    assert sum(entry["count"] for entry in found["n"].metrics["histogram"]) == pytest.approx(ROWS / 3, rel=1e-4)


def test_two_looks_estimate_every_column_of_mysql_too(large_mysql: Database, statements: Callable[[], Any]) -> None:
    with statements() as sent:
        estimated = large_mysql.profile("t", approximate=True)
    assert len(reading(sent)) == 2
    assert estimated.strategy["approximated_from_one_row_in"] in (2, 4, 8)  # the catalog's number of rows is a guess
    found = by_name(estimated)
    for name, distinct in MYSQL_DISTINCT.items():
        assert found[name].approximate >= ESTIMATED, name
        assert found[name].metrics["distinct_count"] == pytest.approx(distinct, rel=0.08), name
    assert found["i"].metrics["stddev"] == pytest.approx(ROWS / 12**0.5, rel=0.03)
    numbers = {"i", "few", "some", "many", "price", "huge", "single"}
    assert {name for name, column in found.items() if column.approximate >= SHAPE} == numbers


def test_equal_values_of_mysql_have_one_hash(mysql: Database) -> None:
    mysql.run("CREATE TABLE t (f double, s varchar(9) COLLATE utf8mb4_general_ci)")
    mysql.run("INSERT INTO t VALUES (0e0, 'a'), (-0e0, 'A '), (1e0, 'b')")
    info = mysql.info("t")
    dialect, relation = DIALECTS["mysql"], Relation.of(info)
    hashes = [
        sa.func.count(hashed.distinct())
        for column, kind in zip(info.columns, info.details["kinds"], strict=True)
        if (hashed := dialect.value_hash(relation.column(column.name), column, kind)) is not None
    ]
    statement = relation.select(*hashes).compile(
        dialect=mysql_package.dialect(), compile_kwargs={"literal_binds": True}
    )
    assert mysql.ask(str(statement).replace("`", '"')) == [(2, 2)]


def test_quantiles_are_those_of_a_sample_unless_the_most_frequent_values_are_asked_for_too(large: Database) -> None:
    quantiles = ("p05", "p50", "p95")
    estimated = by_name(large.profile("t", approximate=True, metrics=("null_count", *quantiles)))
    exact = by_name(large.profile("t", metrics=quantiles))
    assert estimated["i"].approximate == set(quantiles)
    for name in quantiles:
        assert estimated["i"].metrics[name] == pytest.approx(exact["i"].metrics[name], abs=ROWS / 50)
        assert estimated["few"].metrics[name] == exact["few"].metrics[name]
    both = by_name(large.profile("t", approximate=True, metrics=("top_values", *quantiles)))
    assert both["i"].approximate == frozenset()
    assert {name: both["i"].metrics[name] for name in quantiles} == exact["i"].metrics


def test_quantiles_of_the_few_values_among_many_nulls_are_exact(postgres: Database) -> None:
    postgres.run(
        f"CREATE TABLE t AS SELECT CASE WHEN i % 100 = 0 THEN i END AS i FROM generate_series(1, {ROWS}) AS g(i)",
        "ANALYZE t",
    )
    (column,) = postgres.profile("t", approximate=True, metrics=("p50",)).columns
    assert (column.metrics["p50"], column.approximate) == (131100, frozenset())


def test_columns_that_are_not_named_are_exact(large: Database) -> None:
    columns = by_name(large.profile("t", approximate=("i", "words")))
    assert {name for name, column in columns.items() if column.approximate} == {"i", "words"}
    assert (columns["many"].metrics["distinct_count"], columns["id"].metrics["distinct_count"]) == (20011, 50000)


def test_a_small_table_is_exact(postgres: Database) -> None:
    postgres.run("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) AS g(i)", "ANALYZE t")
    (column,) = postgres.profile("t", approximate=True).columns
    assert (column.metrics["distinct_count"], column.approximate) == (1000, frozenset())


def test_what_a_database_cannot_approximate_is_exact(sqlite: Database) -> None:
    sqlite.create("t", {"i": "integer"}, [(1,), (2,)])
    (column,) = sqlite.profile("t", approximate=True).columns
    assert (column.metrics["distinct_count"], column.approximate) == (2, frozenset())


def test_duckdb_has_a_sketch_of_its_own(duckdb: Database, statements: Callable[[], Any]) -> None:
    duckdb.run(f"CREATE TABLE t AS SELECT i, 'text ' || i % 5000 AS words FROM range({ROWS}) AS g(i)")
    with statements() as sent:
        number, text = duckdb.profile("t", approximate=True).columns
    assert len(reading(sent)) == 2
    assert number.metrics["distinct_count"] == pytest.approx(ROWS, rel=0.2)
    assert text.metrics["distinct_count"] == pytest.approx(5000, rel=0.2)
    assert (number.approximate, text.approximate) == (ESTIMATED | SHAPE, ESTIMATED)


def test_metrics_that_are_not_wanted_are_not_estimated(large: Database, statements: Callable[[], Any]) -> None:
    with statements() as sent:
        profile = large.profile("t", approximate=True, metrics=("count", "max", "mean"))
    assert len(reading(sent)) == 2  # the second for the column with NaN
    assert all(column.approximate == frozenset() for column in profile.columns)


def test_a_column_that_does_not_exist_is_an_error(database: Database) -> None:
    database.create("t", {"i": "integer"}, [(1,)])
    with pytest.raises(ProfileError, match=r"t: approximate names 'j', which is not a column of it; it has i"):
        database.profile("t", approximate=("j",))


def test_only_what_is_approximate_is_in_the_settings_of_a_fingerprint() -> None:
    assert "approximate" not in TableSettings().document
    assert TableSettings(approximate=()).digest == TableSettings().digest
    assert TableSettings(approximate=("b", "a")).digest == TableSettings(approximate=("a", "b")).digest
    assert len({TableSettings(approximate=value).digest for value in (False, True, ("a",))}) == 3
