"""Which errors of the store's database go away by themselves. Pure.

A *conflict* is another transaction in the way: ours was rolled back as a whole, and is simply done again. *Trouble* is
a server that cannot be reached just now, or that ended the connection: whether the transaction was committed may be
unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.mysql_errors import CONFLICTS, TROUBLES, error_number

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

#: PostgreSQL's SQLSTATEs of a conflict.
_CONFLICT_STATES = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available: the server's lock_timeout
}
#: PostgreSQL's SQLSTATEs of trouble.
_TROUBLE_STATES = {
    "08000",  # connection_exception
    "08001",  # sqlclient_unable_to_establish_sqlconnection
    "08003",  # connection_does_not_exist
    "08004",  # sqlserver_rejected_establishment_of_sqlconnection
    "08006",  # connection_failure
    "25P03",  # idle_in_transaction_session_timeout
    "53300",  # too_many_connections
    "57P01",  # admin_shutdown: also pg_terminate_backend
    "57P02",  # crash_shutdown: another backend crashed
    "57P03",  # cannot_connect_now: starting, stopping, or in recovery
    "57P05",  # idle_session_timeout
}
#: The drivers of PostgreSQL give no SQLSTATE for a connection that was never made, nor has Python 3.10 a code of
#: SQLite's, so there the message has to tell.
_TROUBLE_WORDS = (
    "connection refused",
    "connection reset",
    "connection timed out",
    "timeout expired",
    "no route to host",
    "network is unreachable",
    "temporary failure in name resolution",
    "server closed the connection unexpectedly",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "database is locked",
)


def is_conflict(error: DBAPIError) -> bool:
    """Whether another transaction was in the way."""
    return _sqlstate(error) in _CONFLICT_STATES or error_number(error.orig) in CONFLICTS


def is_transient(error: DBAPIError) -> bool:
    """Whether it may go well if it is tried again."""
    state, number = _sqlstate(error), error_number(error.orig)
    if error.connection_invalidated or state in _TROUBLE_STATES | _CONFLICT_STATES:
        return True
    if state or number:
        return number in TROUBLES | CONFLICTS
    message = str(error.orig).lower()
    return any(words in message for words in _TROUBLE_WORDS)


def _sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code, or none."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
