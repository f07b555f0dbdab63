"""The fingerprint of a table: three digests that say whether settings, schema or data changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

JsonDocument = Mapping[str, Any]


class Fingerprint(NamedTuple):
    """Three digests of 32 hexadecimal digits; none is a part that is not known, never a constant."""

    settings: str | None
    schema: str | None
    data: str | None

    def as_dict(self) -> dict[str, str | None]:
        """The three parts by name."""
        return self._asdict()


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)


def canonical_json(value: Any) -> str:
    """JSON in which equal values are equal text: keys sorted, no spaces."""
    return _ENCODER.encode(value)


def _digest(part: str, text: str) -> str:
    # The part's name keeps equal texts of two parts apart; the number lets a later release change what is digested.
    return blake2b(f"{part}:1\n{text}".encode(), digest_size=16).hexdigest()


def settings_digest(document: JsonDocument) -> str:
    """Digest of every option that changes what is computed."""
    return _digest("settings", canonical_json(document))


def schema_digest(columns: Mapping[str, str]) -> str:
    """Digest of column names and types; their order in the table carries no meaning."""
    return _digest("schema", canonical_json(columns))


def data_digest(version: str) -> str:
    """Digest of the warehouse's own version of the rows."""
    return _digest("data", version)
