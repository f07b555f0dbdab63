"""Which errors go away by themselves."""

from __future__ import annotations

import sqlite3

import pytest
from pymysql.err import InterfaceError, OperationalError as MysqlError
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.store.faults import is_conflict, is_transient


class PostgresError(Exception):
    """An error of psycopg2 (``pgcode``), or of psycopg 3 (``sqlstate``)."""

    def __init__(self, message, **code):
        super().__init__(message)
        vars(self).update(code)


CONFLICTS = (
    PostgresError("deadlock detected", pgcode="40P01"),
    PostgresError("deadlock detected", sqlstate="40P01"),
    PostgresError("could not serialize access", pgcode="40001"),
    PostgresError("canceling statement due to lock timeout", sqlstate="55P03"),
    MysqlError(1213, "Deadlock found when trying to get lock; try restarting transaction"),
    MysqlError(1205, "Lock wait timeout exceeded; try restarting transaction"),
    MysqlError(1020, "Record has changed since last read in table 'profilemesh_changes'"),
)
TROUBLE = (
    PostgresError("terminating connection due to administrator command", pgcode="57P01"),
    PostgresError("terminating connection because of crash of another server process", sqlstate="57P02"),
    PostgresError("the database system is starting up", pgcode="57P03"),
    PostgresError("sorry, too many clients already", sqlstate="53300"),
    PostgresError("connection to server was lost", pgcode="08006"),
    # Without a code, as the connection was never made.
    PostgresError('connection to server at "db", port 5432 failed: Connection refused\n\tIs the server running?'),
    PostgresError('connection to server at "db" failed: FATAL:  the database system is starting up'),
    PostgresError('connection to server at "db" failed: FATAL:  sorry, too many clients already'),
    PostgresError("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    PostgresError('connection to server at "db" failed: timeout expired'),
    PostgresError('could not translate host name "db" to address: Temporary failure in name resolution'),
    PostgresError("server closed the connection unexpectedly"),
    MysqlError(1040, "Too many connections"),
    MysqlError(1053, "Server shutdown in progress"),
    MysqlError(1226, "User 'ann' has exceeded the 'max_user_connections' resource (current value: 1)"),
    MysqlError(1927, "Connection was killed"),
    MysqlError(2003, "Can't connect to MySQL server on 'db' ([Errno 111] Connection refused)"),
    MysqlError(2006, "MySQL server has gone away"),
    MysqlError(2013, "Lost connection to MySQL server during query"),
    sqlite3.OperationalError("database is locked"),
)
LASTING = (
    PostgresError('connection to server at "db" failed: FATAL:  password authentication failed for user "ann"'),
    PostgresError('connection to server at "db" failed: FATAL:  database "shop" does not exist'),
    PostgresError('could not translate host name "db" to address: Name or service not known'),
    PostgresError('relation "connection refused" does not exist', pgcode="42P01"),
    PostgresError("canceling statement due to user request", pgcode="57014"),
    PostgresError("could not extend file: No space left on device", sqlstate="53100"),
    MysqlError(1045, "Access denied for user 'ann'@'localhost' (using password: YES)"),
    MysqlError(1049, "Unknown database 'timeout expired'"),
    MysqlError(1146, "Table 'shop.connection refused' doesn't exist"),
    MysqlError(1406, "Data too long for column 'run_id' at row 1"),
    InterfaceError("no number"),
    sqlite3.OperationalError("unable to open database file"),
    sqlite3.DatabaseError("file is not a database"),
)


def wrapped(error, *, invalidated=False):
    return DBAPIError("SELECT 1", None, error, connection_invalidated=invalidated)


@pytest.mark.parametrize("error", CONFLICTS, ids=str)
def test_a_conflict_is_tried_again_at_once_and_later(error):
    assert is_conflict(wrapped(error))
    assert is_transient(wrapped(error))


@pytest.mark.parametrize("error", TROUBLE, ids=str)
def test_trouble_with_the_server_is_tried_again_later_only(error):
    assert not is_conflict(wrapped(error))
    assert is_transient(wrapped(error))


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_what_another_try_would_not_mend_is_not_tried_again(error):
    assert not is_conflict(wrapped(error))
    assert not is_transient(wrapped(error))


@pytest.mark.parametrize("error", [InterfaceError(0, ""), PostgresError("connection already closed")], ids=repr)
def test_a_connection_that_sqlalchemy_gave_up_was_lost(error):
    assert not is_transient(wrapped(error))
    assert is_transient(wrapped(error, invalidated=True))
