"""What is kept of a column while it arrives: numbers come out in order, hashes as the number of different ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.stream.source import Field, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

pytest.importorskip("polars")

import polars as pl

from profilemesh_airflow.warehouse.stream.columns import Hashes, Numbers

WISH = Wish(Kind.INTEGER, frozenset({"min"}), Field(("Int64",), 8))

#: Around nothing, around what 32 bits hold, and around what 64 do.
CENTRES = (0, -(2**31), 2**31 - 1, 2**62, -(2**63) + 500)


def chunks(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Any]]]:
    return st.lists(st.lists(st.none() | values, max_size=30), max_size=5)


def in_order(arrived: Sequence[Sequence[Any]], dtype: Any) -> list[Any]:
    column = Numbers(WISH)
    for chunk in arrived:
        column.add(pl.Series(chunk, dtype=dtype))
    return column.in_order().tolist()


def everything(arrived: Sequence[Sequence[Any]]) -> list[Any]:
    return [value for chunk in arrived for value in chunk if value is not None]


@given(st.sampled_from(CENTRES), chunks(st.integers(-20, 20)))
def test_whole_numbers_of_a_small_range_are_in_order(centre: int, offsets: list[list[int | None]]) -> None:
    top = 2**63 - 1
    arrived = [[None if each is None else min(centre + each, top) for each in chunk] for chunk in offsets]
    assert in_order(arrived, pl.Int64) == sorted(everything(arrived))


@given(chunks(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_of_any_range_are_in_order(arrived: list[list[int | None]]) -> None:
    assert in_order(arrived, pl.Int64) == sorted(everything(arrived))


@given(chunks(st.floats(allow_nan=False)))
def test_doubles_are_in_order(arrived: list[list[float | None]]) -> None:
    assert in_order(arrived, pl.Float64) == sorted(everything(arrived))


@given(chunks(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**64 - 1])))
def test_different_hashes_are_counted(arrived: list[list[int | None]]) -> None:
    column = Hashes(WISH)
    for chunk in arrived:
        column.add(pl.Series(everything([chunk]), dtype=pl.UInt64))
    assert column.distinct() == len(set(everything(arrived)))
