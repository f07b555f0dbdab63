"""Rows of PostgreSQL that come packed: a string of bytes a column, for the rows of some pages."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from profilemesh_airflow.core.plan import ALL_METRICS, METRICS, Partition, TableSettings
from profilemesh_airflow.exceptions import ProfileTimeoutError
from profilemesh_airflow.warehouse import Means
from profilemesh_airflow.warehouse.lanes import Lane
from profilemesh_airflow.warehouse.stream import postgres as stream_postgres
from tests.warehouse.activity import running, until
from tests.warehouse.oracle import close

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.core.profile import TableProfile
    from tests.warehouse.databases import Database

#: Every type that can be packed, and SQL for a value out of the number of its row.
TYPES = {
    "smallint": "(i % 1000 - 500)::smallint",
    "integer": "i * -77777",
    "bigint": "(i % 1000 - 500) * 9007199254740993",
    "real": "CASE i WHEN 3 THEN 'NaN' WHEN 4 THEN '-Infinity' ELSE i / 3.0 END::real",
    "double precision": "CASE i WHEN 3 THEN 'NaN' WHEN 4 THEN 'Infinity' WHEN 5 THEN '-0' ELSE sqrt(i) END",
    "numeric(15,4)": "(i * 7919 % 100003) / 10000.0 - 3",
    "text": "repeat(chr(228 + i % 50), i % 4)",
    "varchar(20)": "'v' || i % 3000",
    "boolean": "i % 3 = 0",
    "date": "CASE i WHEN 3 THEN 'infinity' WHEN 4 THEN '-infinity' ELSE date '1850-01-01' + i * 10 END",
    "timestamp": "CASE i WHEN 3 THEN 'infinity' WHEN 4 THEN '-infinity'"
    " ELSE timestamp '1899-12-31' + i * interval '1h 1us' END",
    "timestamptz": "CASE i WHEN 3 THEN 'infinity'"
    " ELSE timestamptz '2024-03-31 01:59:59.999999+01' + i * interval '7 h' END",
}


def fill(postgres: Database, rows: int = 5000) -> None:
    """A table of every type, in which the rows of whole pages hold nothing but NULLs."""
    columns = ", ".join(
        f"CASE WHEN i NOT BETWEEN 1000 AND 1600 AND i % 7 > 0 THEN {value} END::{kind} AS c{number}"
        for number, (kind, value) in enumerate(TYPES.items())
    )
    postgres.run(f"CREATE TABLE t AS SELECT {columns} FROM generate_series(1, {rows}) AS g(i)")


def profile(postgres: Database, means: str = "stream", metrics: tuple[str, ...] = METRICS, **more: Any) -> TableProfile:
    settings = TableSettings(metrics=metrics, **more)
    return postgres.warehouse.profile(postgres.info("t"), settings, None, Means(means))


def packed(sent: list[str]) -> list[str]:
    return [statement for statement in sent if "string_agg" in statement]


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read as a stream: packed by a lane, or row by row by a reader."""
    sent: list[str] = []
    copy, read = Lane.copy, stream_postgres.PostgresReader.read

    def note_copy(self: Lane, statement: Any, *arguments: Any, **options: Any) -> None:
        sent.append(self.text(statement))
        copy(self, statement, *arguments, **options)

    def note_read(self: Any, request: str) -> Any:
        sent.append(request)
        return read(self, request)

    monkeypatch.setattr(Lane, "copy", note_copy)
    monkeypatch.setattr(stream_postgres.PostgresReader, "read", note_read)
    return sent


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a table of thousands of pages: two readers, many strings."""
    monkeypatch.setattr(stream_postgres, "_MANY_PAGES", 2)
    monkeypatch.setattr(stream_postgres, "_PACKED_PAGES", 3)


@pytest.mark.usefixtures("small_pages", "driver")
def test_every_type_is_the_same_packed(postgres: Database, streamed: list[str]) -> None:
    fill(postgres)
    found, asked = profile(postgres), profile(postgres, "sql")
    assert found.strategy is not None
    assert found.strategy["left_to_sql"] == {}
    assert len(packed(streamed)) == len(streamed) == 2
    assert found.row_count == asked.row_count == 5000
    for column, expected in zip(found.columns, asked.columns, strict=True):
        assert column.errors == {}
        assert column.metrics == close(expected.metrics), column


def test_packed_values_need_no_connection_of_their_own(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(postgres, 100)
    monkeypatch.delattr(stream_postgres, "PostgresReader")
    found = profile(postgres)
    assert found.strategy is not None
    assert (found.row_count, found.strategy["left_to_sql"]) == (100, {})


@pytest.mark.usefixtures("driver")
def test_what_is_refused_half_way_is_left_to_sql(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(postgres, 100)
    monkeypatch.setattr(stream_postgres, "sent", lambda value, wish: value / sa.func.length(""))
    found, asked = profile(postgres), profile(postgres, "sql")
    assert found.strategy is not None
    assert set(found.strategy["left_to_sql"].values()) == {"could not be streamed"}
    assert found.columns == asked.columns


@pytest.mark.usefixtures("driver")
def test_the_time_limit_stops_packing(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(postgres, 300)
    monkeypatch.setattr(stream_postgres, "_literal", slowly(stream_postgres._literal))
    started = time.monotonic()
    with pytest.raises(ProfileTimeoutError):
        postgres.warehouse.profile(postgres.info("t"), TableSettings(), timedelta(seconds=1), Means("stream"))
    assert time.monotonic() - started < 20
    assert until(lambda: not running(postgres), 20 - (time.monotonic() - started))


def slowly(literal: Callable[[int], Any]) -> Callable[[int], Any]:
    """Page numbers that the server takes a minute to read."""
    return lambda page: sa.literal_column(f"({literal(page)} + length(pg_sleep(60)::text))")


@pytest.mark.parametrize("rows", [0, 1, 200])
def test_a_small_table_is_one_string_a_column(postgres: Database, streamed: list[str], rows: int) -> None:
    fill(postgres, rows)
    found, asked = profile(postgres), profile(postgres, "sql")
    assert len(packed(streamed)) == 1
    assert found.row_count == rows
    assert [column.metrics for column in found.columns] == [close(column.metrics) for column in asked.columns]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("more", "requests"),
    [
        ({"metrics": ALL_METRICS}, 2),
        ({"partition": Partition("c0", "specific_values", values=(7, 8))}, 1),
    ],
    ids=["the texts themselves are wanted", "some of the rows are"],
)
def test_rows_come_one_by_one_where_they_cannot_be_packed(
    postgres: Database, streamed: list[str], more: dict[str, Any], requests: int
) -> None:
    fill(postgres)
    found, asked = profile(postgres, **more), profile(postgres, "sql", **more)
    assert (packed(streamed), len(streamed)) == ([], requests)
    assert found.row_count == asked.row_count
    assert [column.metrics for column in found.columns] == [close(column.metrics) for column in asked.columns]


@pytest.mark.usefixtures("small_pages")
def test_rows_that_arrive_meanwhile_are_of_another_moment(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be on pages that the table did not have when its pages were counted."""
    fill(postgres, 300)
    measure: Callable[..., Any] = stream_postgres.look_through

    def later(*arguments: Any) -> Any:
        postgres.run("INSERT INTO t SELECT * FROM t")
        return measure(*arguments)

    monkeypatch.setattr(stream_postgres, "look_through", later)
    found = profile(postgres)
    assert found.row_count == 300


def test_rows_of_tables_that_inherit_are_its_own(postgres: Database, streamed: list[str]) -> None:
    """They are on other pages than its own."""
    postgres.run(
        "CREATE TABLE t (a bigint)",
        "CREATE TABLE child () INHERITS (t)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO child SELECT i FROM generate_series(2, 5000) AS g(i)",
    )
    found = profile(postgres)
    assert (found.row_count, found.columns[0].metrics["max"]) == (5000, 5000)
    assert packed(streamed) == []
