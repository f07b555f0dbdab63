"""How the version of a table's rows is found where the database's own is not good enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from profilemesh_airflow.core.table import short_hash

#: A version is read by people, and stored with every baseline; a longer value is cut, and its end is a hash.
_LONGEST = 200


@dataclass(frozen=True)
class VersionRule:
    """One of the two.

    :param watermark: a column; the greatest value is the version.
    :param query: SQL that gives one value, which is the version.
    """

    watermark: str | None = None
    query: str | None = None

    def version(self, value: Any) -> str:
        """The version, readable: the same for the same value, whatever the session's time zone."""
        what = "query" if self.watermark is None else f"watermark {self.watermark}"
        return f"{what}={_text(value)}"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(timezone.utc)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    text = bytes(value).hex() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 17]}~{short_hash(text)}"
