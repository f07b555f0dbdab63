"""What a driver's error means, in one line and without a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ProfileError, WarehouseError

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

_LONGEST = 400

#: SQLSTATEs: statement cancelled (statement_timeout), lock not available (lock_timeout); all of class 53 besides.
_EXHAUSTED = frozenset({"57014", "55P03"})

_HINTS = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (r"authentication|no password supplied|role .* does not exist|pg_hba", "check username and password"),
        (r"database .* does not exist", "check the name of the database"),
        (r"permission denied for database", "grant this login CONNECT on it"),
        (r"translate host name|name or service not known|resolve", "check the host name"),
        (
            r"refused|timeout|timed out|unreachable|no route|is the server running",
            "check host and port, and that the server runs and can be reached from here",
        ),
        (r"too many (clients|connections)|connection slots", "the server has no connection free: try again later"),
        (
            r"closed the connection|terminating connection|connection (already closed|to server was lost)",
            "the server ended the connection: see its log, and try again",
        ),
        (r"ssl|certificate", "check the TLS parameters"),
        (r"unable to open database file", "check that the file exists and that this user may open it"),
        (r"not a database", "the file is not an SQLite database, or is encrypted"),
        (r"database is locked", "another program writes to it: try again later"),
        (r"invalid (dsn|connection option|keyword)|unexpected keyword", "check extra_params"),
    )
)


class StatementError(ProfileError):
    """One statement was refused; the connection can go on.

    :param code: the SQLSTATE, where the database has one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exhausted(self) -> bool:
        """Whether time, memory, disk or a lock ran out: asking again, in parts, would only cost as much again."""
        return self.code is not None and (self.code in _EXHAUSTED or self.code.startswith("53"))


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, or none."""
    cause = getattr(error, "orig", None) or error
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def driver_message(error: BaseException, settings: ConnectionSettings) -> str:
    """What the driver said: its first sentence in one line, without the SQL and with the secrets blanked out."""
    cause = getattr(error, "orig", None) or error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    text = " ".join(str(primary or cause).split()) or type(cause).__name__
    for secret in settings.secrets():
        text = text.replace(secret, "***")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def connection_error(error: BaseException, settings: ConnectionSettings) -> WarehouseError:
    """The error to raise when a database cannot be reached or refuses the login."""
    message = driver_message(error, settings)
    hint = next((hint for pattern, hint in _HINTS if pattern.search(message)), "check the connection settings")
    return WarehouseError(f"cannot use {settings.place}: {message}; {hint}")
