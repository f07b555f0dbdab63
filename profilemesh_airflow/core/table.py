"""Which table: its key, and the parts its names and URIs are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from urllib.parse import quote

#: Airflow's limit for a partition key, which a table key must be able to serve as.
MAX_KEY_LENGTH = 250

_PLAIN = re.compile(r"[A-Za-z0-9_~-]*")
_HALF_ENCODED = re.compile(r"%[0-9A-F]?\Z")


def short_hash(text: str, length: int = 16) -> str:
    """``length`` hexadecimal digits that stand for ``text`` (BLAKE2b)."""
    return blake2b(text.encode(), digest_size=length // 2).hexdigest()


def shorten(text: str, limit: int) -> str:
    """``text``, or, where it is longer than ``limit``, its beginning and a hash of the whole: at most ``limit``.

    The beginning never ends within a percent-escape.
    """
    if len(text) <= limit:
        return text
    digest = short_hash(text)
    return f"{_HALF_ENCODED.sub('', text[: limit - len(digest) - 1])}~{digest}"


def encode_part(part: str) -> str:
    """One name, percent-encoded but for the URI's unreserved characters; a dot is encoded too, since it separates."""
    if _PLAIN.fullmatch(part):
        return part
    return quote(part, safe="").replace(".", "%2E")


@dataclass(frozen=True)
class TableRef:
    """A table as the configuration names it, in exact case. An empty schema or database is none."""

    table: str
    schema: str | None = None
    database: str | None = None

    def __post_init__(self) -> None:
        if self.schema == "":
            object.__setattr__(self, "schema", None)
        if self.database == "":
            object.__setattr__(self, "database", None)

    @cached_property
    def _hash(self) -> int:
        return hash((self.table, self.schema, self.database))

    def __hash__(self) -> int:  # a plan looks each of its tables up in many mappings
        return self._hash

    def __reduce__(self) -> tuple[type[TableRef], tuple[str | None, ...]]:
        """Only the names: another process hashes texts differently."""
        return TableRef, (self.table, self.schema, self.database)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names, outermost first; a schema left out between database and table is an empty name.

        So ``(database d, table t)`` and ``(schema d, table t)`` stay two tables.
        """
        if self.database:
            return (self.database, self.schema or "", self.table)
        return (self.schema, self.table) if self.schema else (self.table,)

    @cached_property
    def encoded_parts(self) -> tuple[str, ...]:
        """The names, percent-encoded, as keys and URIs are made of."""
        return tuple(encode_part(part) for part in self.parts)

    @cached_property
    def key(self) -> str:
        """``[database.]schema.table``, each part percent-encoded; at most 250 characters, a longer one is hashed."""
        return shorten(".".join(self.encoded_parts), MAX_KEY_LENGTH)

    @property
    def display(self) -> str:
        """The names as a person reads them; not necessarily unique."""
        return ".".join(self.parts)

    def __str__(self) -> str:
        return self.display
