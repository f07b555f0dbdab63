"""The streaming way: when it is chosen, what it leaves to SQL, and that it keeps to memory, time and moment."""

from __future__ import annotations

import builtins
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.core.plan import ALL_METRICS, Partition, Sampling, TableSettings
from profilemesh_airflow.exceptions import DriverMissingError, NotBuiltError, ProfileTimeoutError
from profilemesh_airflow.warehouse import Means, strategy
from profilemesh_airflow.warehouse.stream import postgres as stream_postgres, profiler as stream_profiler
from tests.warehouse.activity import running, until
from tests.warehouse.oracle import close

if TYPE_CHECKING:
    from profilemesh_airflow.core.profile import TableProfile
    from tests.warehouse.databases import Database

pytestmark = pytest.mark.usefixtures("one_reader")

STREAM = Means("stream")
COLUMNS = {"i": "integer", "d": "double", "s": "text", "b": "boolean", "at": "timestamp", "day": "date"}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """Each kind of database that can be streamed from."""
    return request.getfixturevalue(request.param)


def rows(count: int) -> list[tuple[Any, ...]]:
    return [
        (
            n % 17,
            n / 7,
            f"text {n % 5}" * (n % 3),
            n % 2 == 0,
            f"2024-01-01 00:00:{n % 60:02}",
            None if n % 4 else "2024-02-29",
        )
        for n in range(count)
    ]


def profile(database: Database, table: str = "t", means: Means = STREAM, **settings: Any) -> TableProfile:
    return database.warehouse.profile(database.info(table), TableSettings(**settings), None, means)


def metrics_of(found: TableProfile) -> dict[str, dict[str, Any]]:
    assert all(column.errors == {} for column in found.columns)
    return {column.name: close(column.metrics) for column in found.columns}


def test_every_metric_is_the_same_either_way(database: Database) -> None:
    database.create("t", COLUMNS, rows(1000))
    streamed = profile(database, metrics=ALL_METRICS)
    asked = profile(database, means=Means("sql"), metrics=ALL_METRICS)
    assert (streamed.strategy["engine"], streamed.strategy["left_to_sql"]) == ("stream", {})
    assert "s" in streamed.strategy["distinct_by_hash"]
    assert "i" not in streamed.strategy["distinct_by_hash"]
    assert asked.strategy["engine"] == "sql"
    assert streamed.row_count == asked.row_count == 1000
    assert metrics_of(asked) == {column.name: column.metrics for column in streamed.columns}
    assert streamed.queries < asked.queries


def test_a_table_in_pieces_is_the_same_as_in_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a table much larger than the memory it may take."""
    database.create("t", COLUMNS, rows(5000))
    whole = profile(database)
    monkeypatch.setattr(stream_profiler, "_SHARE_OF_VALUES", 2e-4)
    pieces = profile(database)
    assert pieces.strategy["left_to_sql"] == {}
    assert pieces.queries > whole.queries
    assert metrics_of(pieces) == {column.name: column.metrics for column in whole.columns}


def test_a_column_that_does_not_fit_is_left_to_sql(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.create("t", {"i": "integer", "s": "text"}, [(n, "x" * 500 + str(n)) for n in range(1000)])
    metrics = ("count", "max", "distinct_count", "top_values")
    expected = metrics_of(profile(database, means=Means("sql"), metrics=metrics))
    monkeypatch.setattr(stream_profiler, "_SHARE_OF_VALUES", 1e-4)
    found = profile(database, metrics=metrics)
    assert found.strategy["left_to_sql"] == {"s": "does not fit into profiling.max_memory_mb"}
    assert expected == {column.name: column.metrics for column in found.columns}


LEFT_OF_POSTGRES = {
    "numeric": "1.10",
    "numeric(38,2)": "1.10",
    "char(3)": "a",
    "uuid": "b5a2c3d4-0000-4000-8000-000000000000",
    "inet": "10.0.0.1",
    "interval": "1 day",
    "time": "12:00",
    "date": "0044-03-15 BC",
}


@pytest.mark.parametrize(("kind", "value"), LEFT_OF_POSTGRES.items())
def test_a_type_that_compares_otherwise_here_is_left_to_sql(postgres: Database, kind: str, value: str) -> None:
    postgres.create("t", {"v": kind, "i": "integer"}, [(value, 1), (None, 2)])
    found = profile(postgres)
    assert list(found.strategy["left_to_sql"]) == ["v"]
    assert metrics_of(found) == metrics_of(profile(postgres, means=Means("sql")))


LEFT_OF_SQLITE = {
    "numbers and texts": ("integer", [1, "many"]),
    "texts and bytes": ("text", ["a", b"a"]),
    "times as texts and as numbers": ("timestamp", ["2024-01-01", 5]),
    "integers beyond doubles": ("decimal", [2**53 + 1, 0.5]),
    "a text with NUL": ("text", ["a\0b"]),
}


@pytest.mark.parametrize(("kind", "values"), LEFT_OF_SQLITE.values(), ids=list(LEFT_OF_SQLITE))
def test_values_that_compare_otherwise_here_are_left_to_sqlite(sqlite: Database, kind: str, values: list[Any]) -> None:
    sqlite.create("t", {"v": kind, "i": "integer"}, [(value, 1) for value in values])
    found = profile(sqlite)
    assert list(found.strategy["left_to_sql"]) == ["v"]
    assert metrics_of(found) == metrics_of(profile(sqlite, means=Means("sql")))


def test_a_type_that_changes_late_is_noticed(sqlite: Database) -> None:
    """A chunk of whole numbers, and one of others."""
    sqlite.create("t", {"v": "decimal", "w": "decimal"}, [(n, n) for n in range(30_000)] + [(0.5, "x")])
    found = profile(sqlite)
    assert list(found.strategy["left_to_sql"]) == ["w"]
    assert metrics_of(found) == metrics_of(profile(sqlite, means=Means("sql")))


def test_a_collation_of_its_own_is_left_to_sqlite(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (v TEXT COLLATE NOCASE)", "INSERT INTO t VALUES ('a'), ('A')")
    assert profile(sqlite).columns[0].metrics["distinct_count"] == 1


def test_a_text_that_is_not_utf8_is_left_to_sqlite(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (v TEXT, i INTEGER)", "INSERT INTO t VALUES (CAST(x'ff' AS TEXT), 1)")
    found = profile(sqlite)
    assert found.strategy["left_to_sql"] == {"v": "holds texts that are not UTF-8"}
    assert [column.metrics["distinct_count"] for column in found.columns] == [1, 1]


def test_infinite_times_are_no_extremes(postgres: Database) -> None:
    values = ["infinity", "-infinity", "2024-01-01 01:02:03.678", None]
    postgres.create("t", {"t": "timestamp", "z": "timestamptz", "d": "date"}, [(value,) * 3 for value in values])
    found = profile(postgres)
    assert found.strategy["left_to_sql"] == {}
    assert metrics_of(found) == metrics_of(profile(postgres, means=Means("sql")))


def test_only_the_selected_partitions_are_streamed(database: Database) -> None:
    database.create("t", {"i": "integer", "s": "text"}, [(n, "a%b'c\\" if n % 2 else "other") for n in range(100)])
    found = profile(database, partition=Partition("s", "specific_values", values=("a%b'c\\",)))
    assert found.strategy["left_to_sql"] == {}
    assert (found.row_count, found.columns[0].metrics["min"]) == (50, 1)


def test_the_sample_is_streamed(database: Database) -> None:
    database.create("t", {"i": "integer", "s": "text"}, [(n, f"text {n % 7}") for n in range(2000)])
    sampling = Sampling("random", 0.25)
    found = profile(database, sampling=sampling)
    assert (found.strategy["engine"], found.strategy["left_to_sql"], found.rows_of) == ("stream", {}, "sample")
    assert 300 < found.row_count < 700
    assert metrics_of(found) == metrics_of(profile(database, means=Means("sql"), sampling=sampling))


def test_names_are_quoted(database: Database) -> None:
    name = 'a "b" %s %% :c \\'
    database.create(name, {name: "integer"}, [(1,), (2,)])
    found = profile(database, name)
    assert found.strategy["left_to_sql"] == {}
    assert found.columns[0].metrics["mean"] == 1.5


def test_what_streams_sees_the_moment_of_the_others(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are inserted while the table is profiled belong to the next profile."""
    postgres.create("t", {"a": "integer", "b": "uuid"}, [(1, None)])
    look = stream_postgres.look_through

    def insert_and_look(*arguments: Any) -> Any:
        postgres.insert("t", [(2, None)])
        return look(*arguments)

    monkeypatch.setattr(stream_postgres, "look_through", insert_and_look)
    found = profile(postgres)
    assert found.strategy["left_to_sql"] == {"b": "type uuid"}
    assert found.row_count == 1
    assert (found.columns[0].metrics["max"], found.columns[1].metrics["null_count"]) == (1, 1)


def test_the_time_limit_stops_it_on_the_server_too(postgres: Database) -> None:
    postgres.run("CREATE VIEW v AS SELECT i, length(pg_sleep(0.05)::text) AS c FROM generate_series(1, 1000) g(i)")
    started = time.monotonic()
    with pytest.raises(ProfileTimeoutError):
        postgres.warehouse.profile(postgres.info("v"), TableSettings(), timedelta(seconds=1), STREAM)
    assert time.monotonic() - started < 20
    assert until(lambda: not running(postgres), 20 - (time.monotonic() - started))


@pytest.mark.parametrize(
    ("kind", "size", "engine", "reason"),
    [
        ("postgres", None, "sql", "of unknown size"),
        ("postgres", strategy.WORTHWHILE - 1, "sql", "small"),
        ("postgres", strategy.WORTHWHILE, "stream", "faster"),
        ("postgres", 256 * 10**6, "stream", "faster"),
        ("postgres", 256 * 10**6 + 1, "sql", "larger than profiling.max_memory_mb"),
        ("sqlite", strategy.WORTHWHILE - 1, "sql", "small"),
        ("sqlite", 4 * 256 * 10**6, "stream", "faster"),
        ("sqlite", 4 * 256 * 10**6 + 1, "sql", "larger than profiling.max_memory_mb"),
        ("mysql", 10**8, "sql", "not built for this database"),
    ],
)
def test_auto_streams_where_that_is_faster(kind: str, size: int | None, engine: str, reason: str) -> None:
    choice = strategy.choose(kind, size, 10, TableSettings(), Means(), approximated=False)
    assert (choice.stream, choice.reason) == (engine == "stream", reason)


@pytest.mark.parametrize(
    ("kind", "size", "columns", "engine", "reason"),
    [
        ("postgres", 8192, strategy.WIDE - 1, "sql", "small"),
        ("postgres", 8192, strategy.WIDE, "stream", "of many columns"),
        ("sqlite", 8192, strategy.WIDE, "stream", "of many columns"),
        ("postgres", 256 * 10**6 + 1, strategy.WIDE, "sql", "larger than profiling.max_memory_mb"),
        ("postgres", None, strategy.WIDE, "sql", "of unknown size"),
        ("mysql", 8192, strategy.WIDE, "sql", "not built for this database"),
    ],
)
def test_auto_streams_a_small_table_of_many_columns(
    kind: str, size: int | None, columns: int, engine: str, reason: str
) -> None:
    choice = strategy.choose(kind, size, columns, TableSettings(), Means(), approximated=False)
    assert (choice.stream, choice.reason) == (engine == "stream", reason)


def test_the_columns_that_are_profiled_count(database: Database) -> None:
    """And a table that PostgreSQL has no statistics of yet is small, too."""
    columns = {f"c{number}": "integer" for number in range(strategy.WIDE)}
    database.create("t", columns, [(1,) * len(columns)])
    found = profile(database, means=Means())
    assert (found.strategy["engine"], found.strategy["reason"]) == ("stream", "of many columns")
    some = database.warehouse.profile(database.info("t"), TableSettings(), None, Means(), only=["c0", "c1"])
    assert some.strategy["engine"] == "sql"


def test_approximations_are_not_streamed() -> None:
    assert not strategy.choose("postgres", 10**8, 10, TableSettings(), Means(), approximated=True).stream


def test_a_database_that_cannot_be_streamed_from_is_an_error() -> None:
    with pytest.raises(NotBuiltError, match="stream is not supported for mysql; this release streams postgres, sqlite"):
        strategy.choose("mysql", 10**8, 10, TableSettings(), STREAM, approximated=False)


def test_without_the_extra_auto_is_sql_and_stream_an_error(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.create("t", {"i": "integer"}, [(1,)])
    monkeypatch.setattr(strategy, "find_spec", lambda name: None)
    real = builtins.__import__

    def no_polars(name: str, *arguments: Any) -> Any:
        assert name != "polars"
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", no_polars)
    found = profile(database, means=Means())
    assert (found.strategy["engine"], found.strategy["reason"]) == ("sql", "the extra `fast` is not installed")
    with pytest.raises(DriverMissingError, match=r"polars.*pip install 'profilemesh-airflow\[fast\]'"):
        profile(database)


def test_what_one_scan_answers_is_not_streamed(database: Database) -> None:
    database.create("t", {"i": "integer"}, [(1,)])
    found = profile(database, means=Means(), metrics=("count", "max", "null_count"))
    assert (found.strategy["engine"], found.strategy["reason"]) == ("sql", "one scan answers everything")
