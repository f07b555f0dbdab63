"""Binary COPY is taken apart, in whatever pieces it comes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.warehouse.copying import Rows

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
END = struct.pack("!h", -1)

TABLES = st.lists(st.lists(st.none() | st.binary(max_size=12), max_size=4), max_size=6)


def sent(rows: list[list[bytes | None]]) -> bytes:
    """As the server does."""
    parts = [HEADER]
    for row in rows:
        parts.append(struct.pack("!h", len(row)))
        for field in row:
            parts.append(struct.pack("!i", -1) if field is None else struct.pack("!i", len(field)) + field)
    return b"".join([*parts, END])


@given(TABLES, st.data())
def test_rows_arrive_whole_in_whatever_pieces(rows: list[list[bytes | None]], data: st.DataObject) -> None:
    whole = sent(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    found: list[list[bytes | None]] = []
    taker = Rows(lambda fields: found.append([None if field is None else bytes(field) for field in fields]))
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        assert taker.write(whole[start:end]) == end - start
    assert found == rows


def test_what_a_later_format_puts_before_the_rows_is_left_out() -> None:
    header = HEADER[:-4] + struct.pack("!i", 3) + b"new"
    found: list[bytes] = []
    taker = Rows(lambda fields: found.extend(bytes(field or b"") for field in fields))
    taker.write(header[:-1])
    taker.write(header[-1:] + struct.pack("!hi", 1, 2) + b"it" + END)
    assert found == [b"it"]


def test_anything_else_is_an_error() -> None:
    with pytest.raises(ValueError, match="no binary COPY"):
        Rows(lambda _: None).write(b"1,2,3\n4,5,6\n7,8,9\n0,1,2\n")
