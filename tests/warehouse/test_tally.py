"""Distinct texts that are counted in this process: the same numbers, and SQL where it has to be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.core.plan import METRICS, Sampling, TableSettings
from profilemesh_airflow.exceptions import ProfileTimeoutError
from profilemesh_airflow.warehouse import Means, tally

if TYPE_CHECKING:
    from profilemesh_airflow.core.profile import TableProfile
    from tests.warehouse.databases import Database

TEXTS: list[Any] = ["a", "A", "", "a ", "é", "e\u0301", "a\0b", "a\0c", None, "a"]
DIFFERENT = 8


def profile(database: Database, memory: int = 256, **settings: Any) -> TableProfile:
    return database.warehouse.profile(
        database.info("t"), TableSettings(**settings), timedelta(seconds=60), Means("sql", memory)
    )


def distinct(found: TableProfile) -> list[Any]:
    return [column.metrics["distinct_count"] for column in found.columns]


def by_hash(found: TableProfile) -> Any:
    assert found.strategy is not None
    return found.strategy["distinct_by_hash"]


def test_texts_are_told_apart_as_sqlite_does(sqlite: Database) -> None:
    sqlite.create("t", {"s": "text", "at": "timestamp"}, [(text, text) for text in TEXTS])
    found = profile(sqlite)
    assert distinct(found) == [DIFFERENT] * 2
    assert by_hash(found) == ["s", "at"]
    assert found.columns[0].metrics["null_count"] == 1
    assert found.columns[0].metrics["max_length"] == 2


@pytest.mark.parametrize("odd", [5, 1.5, b"a", b""])
def test_a_column_that_holds_anything_else_is_left_to_sql(sqlite: Database, odd: object) -> None:
    sqlite.create("t", {"s": "text", "at": "timestamp"}, [(text, odd if text == "" else text) for text in TEXTS])
    found = profile(sqlite)
    assert distinct(found) == [DIFFERENT] * 2
    assert by_hash(found) == ["s"]


def test_texts_that_are_not_utf_8_are_left_to_sql(sqlite: Database) -> None:
    sqlite.create("t", {"s": "text"}, [("a",), ("b",)])
    sqlite.run("INSERT INTO t VALUES (CAST(x'ff' AS TEXT)), (CAST(x'fe' AS TEXT))")
    found = profile(sqlite, metrics=("distinct_count",))
    assert distinct(found) == [4]
    assert by_hash(found) == []


def test_a_collation_leaves_its_table_to_sql(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (s TEXT COLLATE NOCASE)", "INSERT INTO t VALUES ('a'), ('A'), ('b')")
    found = profile(sqlite)
    assert distinct(found) == [2]
    assert by_hash(found) == []


def test_many_texts_take_eight_bytes_each(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_FEW", 100)
    sqlite.create(
        "t", {"s": "text", "few": "text"}, [(f"text {n % 700}" if n % 3 else None, str(n % 7)) for n in range(3000)]
    )
    found = profile(sqlite)
    assert distinct(found) == [700, 7]
    assert by_hash(found) == ["s", "few"]


def test_what_does_not_fit_is_left_to_sql(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite.create("t", {"s": "text", "few": "text"}, [(f"text {n}", str(n % 7)) for n in range(30_000)])
    found = profile(sqlite, memory=1)
    assert distinct(found) == [30_000, 7]
    assert by_hash(found) == ["few"]
    monkeypatch.setattr(tally, "MOST_HASHED", 1000)
    monkeypatch.setattr(tally, "_FEW", 100)
    assert by_hash(profile(sqlite)) == ["few"]


def test_only_the_sample_is_counted(sqlite: Database) -> None:
    sqlite.create("t", {"s": "text"}, [(f"text {n}",) for n in range(3000)])
    found = profile(sqlite, metrics=METRICS, sampling=Sampling("random", 0.1))
    assert by_hash(found) == ["s"]
    assert distinct(found) == [found.row_count]
    assert 150 < found.row_count < 500


def test_a_deadline_ends_it(sqlite: Database) -> None:
    sqlite.create("t", {"s": "text"}, [(f"text {n}",) for n in range(300_000)])
    with pytest.raises(ProfileTimeoutError):
        sqlite.warehouse.profile(sqlite.info("t"), TableSettings(), timedelta(seconds=0.05), Means("sql"))
    with closing(sqlite3.connect(sqlite.settings.filepath or "")) as writer, writer:
        writer.execute("DELETE FROM t")
