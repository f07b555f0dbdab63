"""The second way to profile a table: its rows come over, and polars computes. Needs the extra ``fast``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profilemesh_airflow.warehouse.lanes import Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.stream.profiler import Streaming

_SOURCES = {"postgres": "PostgresSource", "sqlite": "SQLiteSource"}


def open_streaming(kind: str, lanes: Lanes, relation: Relation, bins: int, limit: int) -> Streaming:
    """Streaming from a kind of database; the packages it needs are imported only now."""
    source = getattr(import_module(f"{__name__}.{kind}"), _SOURCES[kind])()
    streaming: Streaming = import_module(f"{__name__}.profiler").Streaming(lanes, source, relation, bins, limit)
    return streaming
