"""What a driver's error means, in one line and without a secret; and whether the same may go well a moment later."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.exceptions import ProfileError, WarehouseError, WarehouseUnavailableError
from profilemesh_airflow.mysql_errors import CONFLICTS, EXHAUSTED, TROUBLES, error_number

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

_LONGEST = 400

#: SQLSTATE of a cancelled statement (statement_timeout); all of class 53 is exhausted besides.
_CANCELLED = "57014"

#: SQLSTATEs of troubles that pass, or the two characters that a whole class of them begins with, each with the reason.
_PASSING = {
    "08": "the connection broke, or was never made",
    "40001": "transactions got in each other's way; a standby ends a query so when it has to replay a change",
    "40P01": "a deadlock, of which this was the victim",
    "53300": "the server, the database or the role has no connection free",
    "55P03": "another session held a lock for longer than lock_timeout",
    "57P01": "an administrator ended the connection, or is stopping the server",
    "57P02": "the server ends all connections as another one crashed",
    "57P03": "the server is starting, stopping or recovering",
    "57P05": "the connection was idle for longer than idle_session_timeout",
}

#: SQLSTATEs of troubles that do not pass though they end the connection, each with the reason.
_LASTING = {
    "25P03": "idle_in_transaction_session_timeout, a limit of the server's that the next try meets again",
    "25P04": "transaction_timeout, likewise",
    "57P04": "the database was dropped",
}

#: Codes that tell nothing: none at all, and those of MySQL's driver for whatever kept it from connecting.
_UNTOLD = frozenset({None, "2002", "2003"})
_PASSING_NUMBERS = frozenset(str(number) for number in CONFLICTS | TROUBLES) - _UNTOLD
_EXHAUSTED_NUMBERS = frozenset(str(number) for number in EXHAUSTED)

#: What drivers say, the first that fits: what to do about it, and whether it passes. The latter counts only while a
#: connection is made, as the drivers give no SQLSTATE then. The lasting ones stand first: of a host with several
#: addresses a driver tells all failures in one message, and the last of them decides.
_HINTS = tuple(
    (re.compile(pattern, re.IGNORECASE), hint, passing)
    for pattern, hint, passing in (
        (r"invalid (dsn|connection option|keyword)|unexpected keyword", "check extra_params", False),
        (
            r"authentication|no password supplied|role .* does not exist|pg_hba|access denied for user .* \(using",
            "check username and password",
            False,
        ),
        (r"in read-only mode", "check `filepath`: that the file exists and that this user may open it", False),
        (
            r"could not set lock on file",
            "another program has the file open for writing, and DuckDB lets nobody read it meanwhile: try again later",
            True,
        ),
        (r"different configuration than existing", "this process has the file open for writing: close it first", False),
        (r"database .* does not exist|unknown database", "check the name of the database", False),
        (r"permission denied for database|access denied for user", "grant this login access to it", False),
        (r"temporary failure in name resolution", "the name service did not answer: try again later", True),
        (r"translate host name|name or service not known|resolve", "check the host name", False),
        (r"system is (starting|shutting|in recovery|not)", "the server starts or stops: try again later", True),
        (
            r"too many (clients|connections)|connection slots|max_user_connections",
            "no connection is free: try again later",
            True,
        ),
        (r"lock (wait )?timeout|deadlock|serialize|recovery", "other sessions were in the way: try again later", True),
        (r"statement timeout", "statement_timeout of the server, the login or extra_params ended it", False),
        (
            r"refused|timeout|timed out|unreachable|no route|is the server running",
            "check host and port, and that the server runs and can be reached from here",
            True,
        ),
        (
            r"closed the connection|terminating connection|lost connection|gone away|shutdown in progress"
            r"|connection (already closed|reset|to server was lost|was killed)",
            "the server ended the connection: see its log, and try again",
            True,
        ),
        (r"ssl|certificate", "check the TLS parameters", False),
        (r"unable to open database file", "check that the file exists and that this user may open it", False),
        (r"not a valid duckdb database", "the file is not a DuckDB database", False),
        (r"not a database", "the file is not an SQLite database, or is encrypted", False),
        (r"is locked", "another program writes to it: try again later", True),
        ("", "check the connection settings", False),
    )
)


class StatementError(ProfileError):
    """One statement was refused; the connection can go on.

    :param code: the SQLSTATE, or the number of MySQL, as text; none where the database has neither.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exhausted(self) -> bool:
        """Whether time, memory or disk ran out: asking again, in parts, would only cost as much again."""
        if self.code is None:
            return False
        return self.code == _CANCELLED or self.code[:-3] == "53" or self.code in _EXHAUSTED_NUMBERS


def error_code(error: BaseException) -> str | None:
    """The number of MySQL as text (its SQLSTATEs say less), or else the SQLSTATE; none where there is neither."""
    cause = getattr(error, "orig", None) or error
    number = error_number(cause)
    if number is not None:
        return str(number)
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def is_transient(error: BaseException) -> bool:
    """Whether the same may go well a moment later: a lost connection, a lock, a server that is starting or full."""
    code = error_code(error)
    if code in _LASTING:
        return False
    if code in _PASSING_NUMBERS or code in _PASSING or (code is not None and code[:-3] in _PASSING):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or (code in _UNTOLD and _says_so(error))


def driver_message(error: BaseException, settings: ConnectionSettings) -> str:
    """What the driver said: its first sentence in one line, without the SQL and with the secrets blanked out."""
    cause = getattr(error, "orig", None) or error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    if primary is None and error_number(cause) is not None:
        primary = cause.args[-1]
    text = settings.redact(str(primary or cause)) or type(cause).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def connection_error(error: BaseException, settings: ConnectionSettings) -> WarehouseError:
    """The error to raise when a database cannot be reached, refuses the login or ends the connection."""
    if settings.filepath and Path(settings.filepath).expanduser().is_dir():
        return WarehouseError(f"cannot use {settings.place}: it is a directory; name the database file in it")
    message = driver_message(error, settings)
    kind = WarehouseUnavailableError if is_transient(error) else WarehouseError
    return kind(f"cannot use {settings.place}: {message}; {_hint(message)[0]}")


def _says_so(error: DBAPIError) -> bool:
    """Whether the driver's words alone tell of a trouble that passes."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return "is locked" in str(error.orig)
    return error.statement is None and _hint(str(error.orig))[1]


def _hint(message: str) -> tuple[str, bool]:
    return next((hint, passing) for pattern, hint, passing in _HINTS if pattern.search(message))
