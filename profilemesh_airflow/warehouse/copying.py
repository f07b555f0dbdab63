"""Binary COPY of PostgreSQL, on the connection that a lane has.

A driver makes an object of every value that it fetches; of COPY it hands over the bytes as they arrive.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Piece: TypeAlias = bytes | memoryview

#: The execution option that names who is handed what COPY sends.
SINK = "profilemesh_sink"

#: After this come as many bytes as its last four say.
_HEADER = struct.Struct("!11s4xi")
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"

_NUMBER_OF_FIELDS = struct.Struct("!h")
_LENGTH = struct.Struct("!i")

#: In the place of the number of fields: there are no more rows.
_END = -1


class Sink(Protocol):
    """Is handed bytes, as a file is."""

    def write(self, piece: Piece) -> int:
        """Take some."""


def copy_out(cursor: Any, statement: str, _parameters: Any, context: Any) -> bool:
    """SQLAlchemy's event ``do_execute``: a COPY whose bytes go to the sink that its execution options name."""
    sink: Sink | None = context.execution_options.get(SINK)
    if sink is None:
        return False
    if hasattr(cursor, "copy_expert"):
        cursor.copy_expert(statement, sink)
    else:
        # psycopg 3.
        with cursor.copy(statement) as pieces:
            for piece in pieces:
                sink.write(piece)
    return True


class Rows:
    """Takes binary COPY apart, see "Binary Format" at postgresql.org/docs/current/sql-copy.html.

    :param take: is handed the fields of each row, none for NULL; they last until it returns.
    """

    def __init__(self, take: Callable[[Sequence[Piece | None]], None]) -> None:
        self._take = take
        self._rest: Piece = b""
        self._begun = False

    def write(self, piece: Piece) -> int:
        """Take some bytes; usually they are a row."""
        data = memoryview(b"".join((self._rest, piece)) if self._rest else piece)
        at = 0
        while (end := self._row(data, at) if self._begun else self._header(data)) is not None:
            at = end
        self._rest = bytes(data[at:])
        return len(piece)

    def _header(self, data: memoryview) -> int | None:
        """Where it ends; none where it is not all there."""
        if len(data) < _HEADER.size:
            return None
        signature, extension = _HEADER.unpack_from(data)
        if signature != _SIGNATURE:
            raise ValueError("this is no binary COPY")
        end: int = _HEADER.size + extension
        self._begun = end <= len(data)
        return end if self._begun else None

    def _row(self, data: memoryview, at: int) -> int | None:
        """Pass a row on; where it ends, none where it is not all there."""
        number, at = _read(_NUMBER_OF_FIELDS, data, at)
        if number is None:
            return None
        fields: list[Piece | None] = []
        for _ in range(number):
            length, at = _read(_LENGTH, data, at)
            if length is None or at + length > len(data):
                return None
            fields.append(data[at : at + length] if length >= 0 else None)
            at += max(length, 0)
        if number != _END:
            self._take(fields)
        return at


def _read(number: struct.Struct, data: memoryview, at: int) -> tuple[int | None, int]:
    """A number and where it ends, where it is there."""
    end = at + number.size
    return (number.unpack_from(data, at)[0], end) if end <= len(data) else (None, at)
