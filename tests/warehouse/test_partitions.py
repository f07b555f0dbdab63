"""Profiling some partitions of a table."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.config.tables import PartitionConfig
from profilemesh_airflow.core.plan import Partition
from profilemesh_airflow.exceptions import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.warehouse.databases import Database

DAYS = ["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03", None]


@pytest.fixture
def orders(database: Database) -> Database:
    database.create("orders", {"day": "date", "n": "integer"}, [(day, number) for number, day in enumerate(DAYS)])
    return database


def numbers(database: Database, table: str, partition: Partition) -> tuple[int, Any, Any]:
    """Which rows were profiled: how many, the least and the greatest number."""
    profile = database.profile(table, partition=partition)
    metrics = profile.columns[1].metrics
    assert profile.row_count == metrics["count"]
    return profile.row_count, metrics["min"], metrics["max"]


@pytest.mark.parametrize(
    ("partition", "rows"),
    [
        (Partition("day", "all"), (5, 0, 4)),
        (Partition(None, "all"), (5, 0, 4)),
        (Partition("day", "latest"), (1, 3, 3)),
        (Partition("day", "recent_n", recent_n=2), (3, 1, 3)),
        (Partition("day", "recent_n", recent_n=99), (4, 0, 3)),
        (Partition("day", "specific_values", values=("2024-01-02",)), (2, 1, 2)),
        (Partition("day", "specific_values", values=(date(2024, 1, 1), date(2024, 1, 3))), (2, 0, 3)),
        (Partition("day", "specific_values", values=(None, "2024-01-01")), (2, 0, 4)),
        (Partition("day", "specific_values", values=("1999-01-01",)), (0, None, None)),
        (Partition("day", "specific_values", values=()), (0, None, None)),
    ],
)
def test_a_strategy_selects_its_rows(orders: Database, partition: Partition, rows: tuple[int, Any, Any]) -> None:
    assert numbers(orders, "orders", partition) == rows


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("integer", [1, 10, 9]),
        ("text", ["1", "9", "10"]),
        ("double", [0.1, 1e300, 2.5]),
        ("decimal", [1, 3, 2]),
        ("timestamp", ["2024-01-01 00:00:00", "2024-01-01 00:00:00.000002", "2024-01-01 00:00:00.000001"]),
    ],
)
def test_the_latest_partition_is_the_greatest_key_of_its_type(database: Database, kind: str, keys: list[Any]) -> None:
    database.create("t", {"k": kind, "n": "integer"}, [(key, number) for number, key in enumerate(keys)])
    greatest = keys.index(max(keys))
    assert numbers(database, "t", Partition("k", "latest")) == (1, greatest, greatest)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("text", "5", 5),
        ("integer", 5, "5"),
        ("text", "2024-01-02", date(2024, 1, 2)),
        ("timestamp", "2024-01-02 03:04:05", datetime(2024, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - as YAML gives it
        ("timestamp", "2024-01-02 03:04:05.120000", "2024-01-02T03:04:05.12"),
        ("boolean", True, True),
    ],
)
def test_a_value_may_be_written_as_yaml_likes_it(database: Database, kind: str, key: Any, value: Any) -> None:
    database.create("t", {"k": kind, "n": "integer"}, [(key, 7), (None, 8)])
    assert numbers(database, "t", configured(value)) == (1, 7, 7)


def configured(value: Any) -> Partition:
    """A partition setting as a configuration has it."""
    (kept,) = PartitionConfig.model_validate({"strategy": "specific_values", "values": [value]}).values or ()
    return Partition("k", "specific_values", values=(kept,))


@pytest.mark.parametrize("stored", ["2024-01-02 03:04:05", "2024-01-02T03:04:05", "2024-01-02 03:04:05.000000"])
def test_sqlite_may_store_a_time_in_any_spelling(sqlite: Database, stored: str) -> None:
    sqlite.create("t", {"k": "timestamp", "n": "integer"}, [(stored, 7), ("2024-01-02 03:04:06", 8)])
    assert numbers(sqlite, "t", configured(datetime(2024, 1, 2, 3, 4, 5))) == (1, 7, 7)  # noqa: DTZ001


@pytest.mark.parametrize("value", ["abc", "5 apples"])
def test_a_text_is_no_number_of_mysql(mysql: Database, value: str) -> None:
    mysql.create("t", {"k": "integer", "n": "integer"}, [(0, 7), (5, 8)])
    with pytest.raises(ProfileError, match=f"'{value}' is no value of the partition key 'k', which is of type bigint"):
        numbers(mysql, "t", configured(value))


@pytest.mark.parametrize("kind", ["timestamptz", "uuid", "mood", "real", "date"])
def test_keys_of_any_postgres_type_are_found_again(postgres: Database, kind: str) -> None:
    greatest = {
        "timestamptz": "2024-07-01 12:00:00.123456+05",
        "uuid": "ffffffff-0000-0000-0000-000000000001",
        "mood": "wei%rd 'mood'",
        "real": "0.1",
        "date": "infinity",
    }[kind]
    least = {"uuid": "00000000-0000-0000-0000-000000000001", "mood": "sad", "real": "-1"}.get(kind, "2020-01-01")
    postgres.run("CREATE TYPE mood AS ENUM ('sad', 'wei%rd ''mood''')", f"CREATE TABLE t (k {kind}, n int)")
    with postgres.connect() as connection:
        connection.cursor().execute("INSERT INTO t VALUES (%s, 1), (%s, 2)", (least, greatest))
    assert numbers(postgres, "t", Partition("k", "latest")) == (1, 2, 2)


def test_the_latest_partition_of_an_empty_table_is_empty(database: Database) -> None:
    database.create("t", {"k": "date", "n": "integer"})
    assert numbers(database, "t", Partition("k", "latest")) == (0, None, None)


def test_the_partition_is_looked_up_once_and_every_statement_filters(
    orders: Database, statements: Callable[[], Any]
) -> None:
    with statements() as sent:
        orders.profile("orders", partition=Partition("day", "recent_n", recent_n=2))
    lookups = [statement for statement in sent if "DISTINCT" in statement and "LIMIT" in statement]
    reading = [statement for statement in sent if "AS t" in statement and "sqlite_master" not in statement]
    assert len(lookups) == 1
    assert len(reading) == 4
    assert all("WHERE" in statement for statement in reading)


def test_drawn_partitions_are_whole_and_the_same_every_time(database: Database) -> None:
    """NULL is a partition, too."""
    keys = [*range(19), None]
    database.create("t", {"k": "integer", "n": "integer"}, [(key, number) for number, key in enumerate(keys)] * 3)
    drawn = {}
    for seed in range(16):
        partition = Partition("k", "sample", fraction=0.25, seed=seed)
        first, again = (database.profile("t", partition=partition) for _ in range(2))
        assert (first.row_count, first.rows_of) == (15, "sample")
        assert [column.metrics for column in first.columns] == [column.metrics for column in again.columns]
        assert first.columns[0].metrics["distinct_count"] == 5 - bool(first.columns[0].metrics["null_count"])
        chosen = first.strategy["partitions"]
        assert (chosen["key"], chosen["number"], len(chosen["values"])) == ("k", 5, 5)
        drawn[seed] = frozenset(chosen["values"])
    assert len(set(drawn.values())) > 1
    assert any(None in values for values in drawn.values())
    assert database.profile("t", partition=Partition("k", "sample", fraction=1e-9)).row_count == 3


def test_a_key_with_too_many_values_is_no_partition_key(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilemesh_airflow.warehouse.partitions.MOST_PARTITIONS", 2)
    database.create("t", {"k": "integer"}, [(1,), (2,), (None,)])
    with pytest.raises(ProfileError, match=r"k has more than 2 different values.*choose another `key`"):
        database.profile("t", partition=Partition("k", "sample"))


def test_thousands_of_values_may_be_selected(database: Database) -> None:
    database.create("t", {"k": "integer", "n": "integer"}, [(number, number) for number in range(3000)])
    values = tuple(range(0, 3000, 2))
    assert numbers(database, "t", Partition("k", "specific_values", values=values)) == (1500, 0, 2998)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"note": "text", "DT": "date", "event_date": "date"}, "event_date"),
        ({"note": "text", "ds": "text"}, "ds"),
        ({"note": "text", "when": "date"}, "when"),
        ({"note": "text", "Date": "date", "n": "integer"}, "Date"),
    ],
)
def test_a_key_that_is_not_named_is_found(database: Database, columns: dict[str, str], key: str) -> None:
    database.create("t", columns, [tuple("2024-01-02" for _ in columns)] if "n" not in columns else [])
    profile = database.profile("t", partition=Partition(None, "latest"))
    assert (profile.strategy["partitions"]["key"], profile.rows_of) == (key, "partitions")


@pytest.mark.parametrize("columns", [{"a": "date", "b": "date"}, {"a": "integer"}])
def test_a_key_that_is_not_clear_is_not_guessed(database: Database, columns: dict[str, str]) -> None:
    database.create("t", columns)
    with pytest.raises(ProfileError, match=f"no column of it stands out .* name it in `key`: {', '.join(columns)}"):
        database.profile("t", partition=Partition(None, "latest"))


def test_the_key_that_postgres_divides_a_table_by_is_found(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE t (date date, region text, n int) PARTITION BY LIST (region)",
        "CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a')",
        "CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b')",
        "INSERT INTO t VALUES ('2024-01-01', 'b', 1), ('2024-01-02', 'a', 2)",
    )
    assert postgres.profile("t", partition=Partition(None, "latest")).columns[2].metrics["max"] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"partition": Partition("month", "latest")}, "'month' is not a column of it; it has day, n"),
        ({"partition": Partition(None, "latest", metadata_fallback=False)}, "latest needs `key`, as"),
        ({"partition": Partition("day", "recent_n")}, "needs `recent_n`"),
        ({"partition": Partition("day", "yearly")}, "unknown partition strategy 'yearly'; one of all"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(orders: Database, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=f"orders.*{message}"):
        orders.profile("orders", **settings)


def test_a_value_that_is_not_of_the_columns_type_fails_the_table(postgres: Database) -> None:
    postgres.create("t", {"k": "integer", "n": "integer"}, [(1, 1)])
    with pytest.raises(ProfileError, match='t cannot be profiled: invalid input syntax for type bigint: "soon"'):
        postgres.profile("t", partition=Partition("k", "specific_values", values=("soon",)))
