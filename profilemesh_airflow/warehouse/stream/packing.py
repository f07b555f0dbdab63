"""Many values of a PostgreSQL column in one string of bytes.

Rows come as a field a value, and to take millions of fields apart costs this process more than anything else. Packed
values are as many bytes one after the other, NULLs left out: they are taken as they are.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import sqlalchemy as sa

from profilemesh_airflow.warehouse.dialects.postgres import hash_of
from profilemesh_airflow.warehouse.double import as_double
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.stream.series import series_of_numbers
from profilemesh_airflow.warehouse.stream.source import Field
from profilemesh_airflow.warehouse.subject import TOLD_BY_HASH, TOLD_BY_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.warehouse.stream.source import Wish

#: PostgreSQL counts times from 2000, Arrow from 1970: the greatest and the least number, which stand for the infinite
#: ones, wrap around when the difference is added.
_DAYS, _MICROSECONDS = 10_957, 946_684_800_000_000

_INFINITE_DATES = -(2**31) + _DAYS
_INFINITE_TIMESTAMPS = -(2**63) + _MICROSECONDS

#: Nobody can prepare texts whose hashes collide.
_SEED = secrets.randbits(63)

_LENGTH = re.compile(r"\(\d+\)")
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")

#: A double holds every decimal number of so many digits.
_EXACT_DIGITS = 15


@dataclass(frozen=True)
class Packing:
    """How values are packed.

    :param send: SQL for the bytes of a value; NULL for NULL.
    :param stored: what these bytes are, as numpy has it.
    :param dtype: what they mean; none where that is what they are.
    :param since: what is added to each.
    """

    send: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bytes]]
    stored: str | list[tuple[str, str]]
    dtype: pl.DataType | None = None
    since: int = 0

    def pack(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
        """SQL for all values of a group of rows, in any order; NULL where there are none."""
        packed: sa.ColumnElement[bytes] = sa.func.string_agg(self.send(value), sa.literal_column("''"))
        return packed

    def unpack(self, packed: bytes | memoryview[int]) -> pl.Series:
        """What was packed."""
        stored = np.frombuffer(packed, self.stored)
        native = stored.astype(stored.dtype.newbyteorder("="))
        if native.dtype.names:
            fields = {name: series_of_numbers(np.ascontiguousarray(native[name])) for name in native.dtype.names}
            return pl.DataFrame(fields).to_struct()
        if self.since:
            native += self.since
        values = series_of_numbers(native)
        return values if self.dtype is None else values.cast(self.dtype)


def _hashed(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    return sa.func.int8send(hash_of(value, Kind.TEXT, _SEED))


def _hashed_with_length(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    both: sa.ColumnElement[bytes] = _hashed(value).op("||")(sa.func.int4send(sa.func.length(value)))
    return both


class Type(NamedTuple):
    """How a column of a type comes over: row by row as its field says, or packed."""

    field: Field
    packing: Packing


_TIMESTAMP = Field(("Datetime",), 8, infinite=_INFINITE_TIMESTAMPS)
_DOUBLE = Packing(sa.func.float8send, ">f8")
_WITH_LENGTH = Packing(_hashed_with_length, [("hash", ">u8"), ("length", ">i4")])
_TEXT = Type(Field(("String", "UInt64", "Struct"), 8), Packing(_hashed, ">u8"))

#: The types whose values compare here as they do there, by the server's spelling; none that a user defined.
_TYPES = {
    "smallint": Type(Field(("Int16",), 4), Packing(sa.func.int2send, ">i2")),
    "integer": Type(Field(("Int32", "Int64"), 4), Packing(sa.func.int4send, ">i4")),
    "bigint": Type(Field(("Int64",), 8), Packing(sa.func.int8send, ">i8")),
    "real": Type(Field(("Float32",), 4), Packing(sa.func.float4send, ">f4")),
    "double precision": Type(Field(("Float64",), 8), _DOUBLE),
    "text": _TEXT,
    "character varying": _TEXT,
    "boolean": Type(Field(("Boolean",), 0), Packing(sa.func.boolsend, "u1", pl.Boolean())),
    "date": Type(Field(("Date",), 4, infinite=_INFINITE_DATES), Packing(sa.func.date_send, ">i4", pl.Date(), _DAYS)),
    "timestamp without time zone": Type(
        _TIMESTAMP, Packing(sa.func.timestamp_send, ">i8", pl.Datetime("us"), _MICROSECONDS)
    ),
    "timestamp with time zone": Type(
        _TIMESTAMP, Packing(sa.func.timestamptz_send, ">i8", pl.Datetime("us", "UTC"), _MICROSECONDS)
    ),
}


def field_of(name: str) -> Field | None:
    """How a column comes over; none where its values do not compare here as they do there.

    :param name: its type, as the server spells it.
    """
    if numeric := _NUMERIC.fullmatch(name):
        digits, decimals = map(int, numeric.groups())
        return Field(("Float64",), 8, decimals=decimals) if digits <= _EXACT_DIGITS else None
    known = _TYPES.get(_LENGTH.sub("", name))
    return None if known is None else known.field


def packing_of(name: str, wish: Wish) -> Packing | None:
    """How the values of a column are packed that comes over; none where they cannot be.

    All values of a type have as many bytes. In the place of texts come their hashes, where these are enough.
    """
    if "String" not in wish.field.types:
        return _DOUBLE if wish.field.decimals is not None else _TYPES[_LENGTH.sub("", name)].packing
    if not wish.metrics <= TOLD_BY_HASH:
        return None
    return _WITH_LENGTH if wish.metrics & TOLD_BY_LENGTH else _TEXT.packing


def sent(value: sa.ColumnElement[Any], wish: Wish) -> sa.ColumnElement[Any]:
    """SQL for what is sent of a value.

    Decimal numbers as doubles: the client would make texts of them, which takes it far longer.
    """
    return as_double(value) if wish.field.decimals is not None else value
