"""How to reach one database, as a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The kinds of database whose rows can be streamed.
STREAMED = ("postgres", "sqlite")


@dataclass(frozen=True)
class ConnectionSettings:
    """Where a database is and how to log in.

    :param type: the kind of database: ``postgres``, ``sqlite``, ``mysql``, ``duckdb``, ``snowflake``, ``bigquery`` or
        ``redshift``.
    :param filepath: path of the file, for the databases that are one (SQLite, DuckDB).
    :param extra_params: driver arguments; may hold secrets, so it is never shown.
    """

    type: str
    host: str | None = None
    port: int | None = None
    database: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    account: str | None = None
    warehouse: str | None = None
    role: str | None = None
    filepath: str | None = None
    extra_params: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> str:
        """Where this points, for messages: never a login, never a secret."""
        if self.filepath:
            return f"{self.type} file {self.filepath}"
        host = self.account or self.host or "localhost"
        port = f":{self.port}" if self.port else ""
        return f"{self.type} database {self.database or '(default)'} at {host}{port}"

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not appear in a message, a log or a file."""
        hidden = (text for text in _texts(self.extra_params) if len(text) >= 6)
        return (self.password, *hidden) if self.password else tuple(hidden)

    def redact(self, text: str) -> str:
        """``text`` on one line, with every secret of these settings blotted out."""
        return " ".join(without_secrets(text, self.secrets()).split())


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every secret blotted out, the longest first, as one may hold another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
