"""Amounts of data as people write them: ``512MiB``, ``10GB``, or a bare number of bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ByteSize

from profilemesh_airflow.config.base import show

# Pydantic's own type would read `10,000` as 10, and knows units of bits.
_SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?([kmgtpe]i?)?b?", re.IGNORECASE)


def _size(value: Any) -> Any:
    written = isinstance(value, (str, int)) and not isinstance(value, bool)
    text = str(value).strip()
    if not written or not _SIZE.fullmatch(text):
        raise ValueError(f"{show(value)} is not a size; write a number of bytes, or one with a unit as 512MiB or 10GB")
    return text


def _at_least_one(size: ByteSize) -> ByteSize:
    if size < 1:
        raise ValueError(f"{size} bytes are not allowed; a size must be at least 1")
    return size


#: A number of bytes, at least 1. ``KB`` is 1,000 bytes and ``KiB`` 1,024; case does not matter.
Size = Annotated[ByteSize, BeforeValidator(_size), AfterValidator(_at_least_one)]
