"""The tables suit every database that is planned, and types mean the same on each."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, select
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateTable

from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.schema import TableNames, constraint_name, make_tables

MYSQL = mysql.dialect()
LARGEST_KEY = 3072
TABLES = make_tables(TableNames()).all()


def bytes_of(column):
    ddl = column.type.compile(dialect=MYSQL)
    length = re.match(r"VARCHAR\((\d+)\)", ddl)
    if length is None:
        assert re.match(r"(BIGINT|INTEGER|SMALLINT|DATETIME)", ddl), f"{ddl} cannot be part of a key"
        return 8
    return int(length[1]) * (1 if "CHARACTER SET ascii" in ddl else 4)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_key_fits_into_an_index_of_mysql(table):
    keys = [*table.indexes, *(c for c in table.constraints if isinstance(c, (PrimaryKeyConstraint, UniqueConstraint)))]
    sizes = {key.name: sum(bytes_of(column) for column in key.columns) for key in keys}
    assert sizes
    assert max(sizes.values()) <= LARGEST_KEY, sizes


def test_mysql_gets_exact_keys_microseconds_and_long_text():
    ddl = str(CreateTable(make_tables(TableNames()).changes).compile(dialect=MYSQL))
    assert "table_key VARCHAR(250) CHARACTER SET ascii COLLATE ascii_bin NOT NULL" in ddl
    assert "detected_at DATETIME(6) NOT NULL" in ddl
    assert "reasons LONGTEXT NOT NULL" in ddl
    assert "COLLATE utf8mb4_bin" in ddl


def test_names_of_constraints_stay_short_and_apart():
    one, other = (constraint_name("t" * 60 + end, "by_table") for end in ("a", "b"))
    assert one != other
    assert max(len(one), len(other)) <= 63
    assert constraint_name("runs", "pkey") == "runs_pkey"


@pytest.fixture
def database(settings):
    database = Database(settings)
    yield database
    database.close()


def test_the_clock_is_the_databases_in_utc(database):
    now = database.read(database.now)
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(timezone.utc)) < timedelta(minutes=1)


def test_a_moment_keeps_its_microseconds_and_a_naive_one_is_refused(database):
    events = make_tables(TableNames()).events
    row = {"environment": "e", "source_name": "s", "event_type": "t", "payload": "{}"}
    moment = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    database.write(lambda connection: connection.execute(events.insert(), {**row, "occurred_at": moment}))
    found = database.read(lambda connection: connection.execute(select(events.c.occurred_at)).scalar_one())
    assert found == moment
    assert found.tzinfo == timezone.utc
    naive = {**row, "occurred_at": moment.replace(tzinfo=None)}
    with pytest.raises(Exception, match="has no time zone") as raised:
        database.write(lambda connection: connection.execute(events.insert(), naive))
    assert isinstance(raised.value.__cause__, StatementError)
