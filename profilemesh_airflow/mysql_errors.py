"""What the error numbers of MySQL and MariaDB mean, for the profiled database and for the store alike. Pure."""

from __future__ import annotations

#: Another transaction was in the way.
CONFLICTS = frozenset(
    {
        1020,  # ER_CHECKREAD: a row has changed since it was read
        1205,  # ER_LOCK_WAIT_TIMEOUT
        1213,  # ER_LOCK_DEADLOCK
    }
)

#: The server cannot be reached just now, or ended the connection: below 2000 the server's own, above them the client's.
TROUBLES = frozenset(
    {
        1040,  # ER_CON_COUNT_ERROR: too many connections
        1053,  # ER_SERVER_SHUTDOWN
        1152,  # ER_ABORTING_CONNECTION
        1158,  # ER_NET_READ_ERROR
        1159,  # ER_NET_READ_INTERRUPTED
        1160,  # ER_NET_ERROR_ON_WRITE
        1161,  # ER_NET_WRITE_INTERRUPTED
        1203,  # ER_TOO_MANY_USER_CONNECTIONS
        1226,  # ER_USER_LIMIT_REACHED: too many connections of this user, among other limits
        1927,  # ER_CONNECTION_KILLED
        2002,  # CR_CONNECTION_ERROR: no answer at the socket
        2003,  # CR_CONN_HOST_ERROR: no answer from the host
        2006,  # CR_SERVER_GONE_ERROR
        2013,  # CR_SERVER_LOST
        2055,  # CR_SERVER_LOST_EXTENDED
        4031,  # ER_CLIENT_INTERACTION_TIMEOUT
    }
)

#: Time, memory or disk ran out, or somebody stopped the statement.
EXHAUSTED = frozenset(
    {
        1021,  # ER_DISK_FULL
        1037,  # ER_OUTOFMEMORY
        1038,  # ER_OUT_OF_SORTMEMORY
        1041,  # ER_OUT_OF_RESOURCES
        1114,  # ER_RECORD_FILE_FULL: a temporary table
        1317,  # ER_QUERY_INTERRUPTED
        1969,  # ER_STATEMENT_TIMEOUT: MariaDB's max_statement_time
        3024,  # ER_QUERY_TIMEOUT: MySQL's max_execution_time
    }
)


def error_number(cause: BaseException | None) -> int | None:
    """The number that PyMySQL puts first, or none."""
    arguments = getattr(cause, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
