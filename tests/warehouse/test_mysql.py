"""What MySQL and MariaDB have of their own."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from pymysql.err import OperationalError as DriverError
from sqlalchemy.dialects import mysql as mysql_package
from sqlalchemy.exc import OperationalError

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ProfileError, ProfileTimeoutError, WarehouseError, WarehouseUnavailableError
from profilemesh_airflow.warehouse import Warehouse, connect
from profilemesh_airflow.warehouse.deadline import Deadline
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.errors import StatementError, is_transient
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.lanes import Lanes
from tests.warehouse.oracle import counts

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

KINDS = {
    "tinyint(1)": Kind.BOOLEAN,
    "tinyint unsigned": Kind.INTEGER,
    "mediumint": Kind.INTEGER,
    "bigint": Kind.INTEGER,
    "bigint unsigned": Kind.DECIMAL,
    "year": Kind.INTEGER,
    "decimal(10,2) unsigned": Kind.DECIMAL,
    "float": Kind.FLOAT,
    "double unsigned": Kind.FLOAT,
    "char(5)": Kind.TEXT,
    "varchar(20)": Kind.TEXT,
    "mediumtext": Kind.TEXT,
    "enum('a','b')": Kind.OPAQUE,
    "set('a','b')": Kind.OPAQUE,
    "bit(3)": Kind.OPAQUE,
    "date": Kind.TEMPORAL,
    "time(3)": Kind.TEMPORAL,
    "datetime(6)": Kind.TEMPORAL,
    "timestamp(6)": Kind.TEMPORAL,
    "binary(3)": Kind.NONE,
    "varbinary(20)": Kind.NONE,
    "blob": Kind.NONE,
    "point": Kind.NONE,
}


def test_types_have_their_kinds(mysql: Database) -> None:
    mysql.run(f"CREATE TABLE t ({', '.join(f'c{i} {name} NULL' for i, name in enumerate(KINDS))})")
    assert dict(zip(KINDS, mysql.info("t").details["kinds"], strict=True)) == KINDS


def test_texts_are_told_apart_as_their_collation_does_it(mysql: Database) -> None:
    mysql.run(
        "CREATE TABLE t (v varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci)",
        "INSERT INTO t VALUES ('a'), ('A '), ('b'), ('bb')",
    )
    metrics = mysql.column("t", "v").metrics
    assert (metrics["distinct_count"], metrics["min_length"], metrics["max_length"], metrics["avg_length"]) == (
        3,
        1,
        2,
        1.5,
    )


def test_a_float_is_not_rounded_for_show(mysql: Database) -> None:
    metrics = mysql.column_of("float", [0.1, 16777216.0]).metrics
    assert metrics["min"] == 0.10000000149011612
    assert metrics["max"] == 16777216.0


def test_a_mean_alone_is_not_rounded_and_does_not_overflow(mysql: Database) -> None:
    assert mysql.column_of("integer", [1, 1, 2], metrics=("mean",)).metrics == {"mean": 4 / 3}
    assert mysql.column_of("double", [1.7e308] * 3 + [1.6e308], metrics=("mean",)).metrics["mean"] == pytest.approx(
        1.675e308, rel=1e-12
    )


def test_times_are_read_in_utc_whatever_the_session_says(mysql: Database) -> None:
    mysql.run(
        "CREATE TABLE t (v timestamp(3) NULL)", "SET time_zone = '+05:30'", "INSERT INTO t VALUES ('2024-01-01 00:00')"
    )
    with mysql.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET time_zone = '+05:30'")
        cursor.execute("INSERT INTO t VALUES ('2024-06-01 00:00:00.250')")
    settings = replace(mysql.settings, extra_params={"init_command": "SET time_zone = '-03:00'"})
    with Warehouse(settings) as warehouse:
        metrics = warehouse.profile(mysql.info("t"), TableSettings()).columns[0].metrics
    assert metrics["max"] == "2024-05-31T18:30:00.25"


def test_unusual_dates(mysql: Database) -> None:
    mysql.create("t", {"v": "date"}, [("1000-01-01",), ("9999-12-31",), (None,)])
    assert mysql.column("t", "v").metrics == {
        **counts(["a", "b", None], 2),
        "min": "1000-01-01",
        "max": "9999-12-31",
    }


def test_schema_and_database_are_one(mysql: Database) -> None:
    mysql.create("t", {"a": "integer"})
    name = str(mysql.settings.database)
    refs = [TableRef("t"), TableRef("t", name), TableRef("t", database=name), TableRef("t", name, name)]
    assert list(mysql.warehouse.catalog(refs)) == refs
    both = TableRef("t", "x", name)
    assert mysql.warehouse.catalog([both]) == {}
    assert "give `schema` or `database`, not both" in mysql.warehouse.why_missing(both)
    with Warehouse(replace(mysql.settings, database=None)) as warehouse:
        assert warehouse.catalog([TableRef("t")]) == {}
        assert list(warehouse.catalog([refs[1]])) == [refs[1]]


def test_a_view_that_does_not_work_fails_alone(mysql: Database) -> None:
    mysql.run("CREATE TABLE gone (a int)", "CREATE VIEW broken AS SELECT * FROM gone", "DROP TABLE gone")
    mysql.create("t", {"a": "integer"})
    found = mysql.warehouse.catalog([TableRef("t"), TableRef("broken")])
    assert list(found) == [TableRef("t"), TableRef("broken")]
    with pytest.raises(ProfileError, match="broken cannot be profiled"):
        mysql.profile("broken")


# Errors


def error(number: int, said: str, statement: str | None = "SELECT 1") -> OperationalError:
    return OperationalError(statement, None, DriverError(number, said))


@pytest.mark.parametrize(
    ("number", "transient"),
    [(1205, True), (1213, True), (1040, True), (2006, True), (2013, True), (1927, True)]
    + [(number, False) for number in (1045, 1049, 1054, 1064, 1142, 1146, 1317, 1690, 1969, 3024)],
)
def test_the_number_decides(number: int, transient: bool) -> None:
    assert is_transient(error(number, "said")) is transient


@pytest.mark.parametrize(
    ("said", "transient"),
    [
        ("Can't connect to MySQL server on 'h' ([Errno 111] Connection refused)", True),
        ("Can't connect to MySQL server on 'h' (timed out)", True),
        ("Can't connect to MySQL server on 'h' ([Errno -2] Name or service not known)", False),
        ("Can't connect to MySQL server on 'h' ([Errno -3] Temporary failure in name resolution)", True),
    ],
)
def test_while_a_connection_is_made_the_words_decide(said: str, transient: bool) -> None:
    assert is_transient(error(2003, said, None)) is transient


@pytest.mark.parametrize(("number", "exhausted"), [(1969, True), (3024, True), (1038, True), (1146, False)])
def test_a_statement_that_ran_out_of_something_is_not_tried_in_parts(number: int, exhausted: bool) -> None:
    assert StatementError("said", str(number)).exhausted is exhausted


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"username": "nobody_here", "password": "hunter22"}, "check username and password"),
        ({"host": "no-such-host.invalid"}, "check the host name"),
        ({"extra_params": {"no_such_option": 1}}, "check extra_params"),
    ],
)
def test_what_is_wrong_stays_wrong(mysql: Database, wrong: dict[str, Any], advice: str) -> None:
    with (
        Warehouse(replace(mysql.settings, **wrong)) as warehouse,
        pytest.raises(WarehouseError, match=advice) as raised,
    ):
        warehouse.catalog([TableRef("t")])
    assert not isinstance(raised.value, WarehouseUnavailableError)
    assert "hunter22" not in str(raised.value)


def test_a_server_that_is_down_may_come_back(mysql: Database) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with Warehouse(replace(mysql.settings, port=port)) as warehouse, pytest.raises(WarehouseUnavailableError):
            warehouse.catalog([TableRef("t")])


SLOW = "CREATE VIEW slow AS SELECT ordinal_position AS a, sleep(0.05) AS b FROM information_schema.columns"


def running(mysql: Database) -> list[Any]:
    """Our statements that the server is at, in this database."""
    return mysql.ask(
        "SELECT id FROM information_schema.processlist WHERE db = database() AND command = 'Query'"
        " AND info LIKE '%slow%' AND id <> connection_id()"
    )


def test_a_profile_that_takes_too_long_is_stopped_on_the_server(mysql: Database) -> None:
    mysql.run(SLOW)
    with pytest.raises(ProfileTimeoutError):
        mysql.warehouse.profile(mysql.info("slow"), TableSettings(), timeout=timedelta(seconds=0.5))
    end = monotonic() + 30
    while running(mysql) and monotonic() < end:
        sleep(0.05)
    assert not running(mysql)


def test_the_server_ends_a_statement_whose_client_does_nothing(mysql: Database) -> None:
    engine, started = connect(mysql.settings), monotonic()
    mysql.run(SLOW)
    deadline = Deadline("t", timedelta(seconds=0.3))
    with (
        pytest.raises(ProfileTimeoutError),
        Lanes(engine, DIALECTS["mysql"], mysql.settings, 1, deadline) as lanes,
    ):
        lanes.submit(lambda lane: lane.run(sa.text("SELECT sum(b) FROM slow"))).result()
    assert monotonic() - started < 40


def test_a_shorter_limit_of_the_sessions_own_stays(mysql: Database) -> None:
    limit = "max_statement_time=0.3" if "MariaDB" in mysql.ask("SELECT version()")[0][0] else "max_execution_time=300"
    mysql.run(SLOW)
    settings = replace(mysql.settings, extra_params={"init_command": f"SET {limit}"})
    with Warehouse(settings) as warehouse, pytest.raises(ProfileError, match="slow cannot be profiled") as raised:
        warehouse.profile(mysql.info("slow"), TableSettings(), timeout=timedelta(seconds=60))
    assert not isinstance(raised.value, ProfileTimeoutError)


def test_a_connection_that_is_ended_in_the_middle_of_a_profile_may_hold_next_time(mysql: Database) -> None:
    mysql.run(SLOW)
    info = mysql.info("slow")

    def end() -> None:
        deadline = monotonic() + 60
        while not (found := running(mysql)) and monotonic() < deadline:
            sleep(0.05)
        for (thread,) in found:
            mysql.run(f"KILL {thread}")

    killer = Thread(target=end)
    killer.start()
    with pytest.raises(WarehouseUnavailableError):
        mysql.warehouse.profile(info, TableSettings())
    killer.join()


def test_a_profile_sees_one_moment(mysql: Database) -> None:
    mysql.create("t", {"a": "integer"}, [(1,)])
    engine = connect(mysql.settings)
    count = sa.text("SELECT count(*) FROM t")
    with Lanes(engine, DIALECTS["mysql"], mysql.settings, 2) as lanes:
        mysql.insert("t", [(2,)])
        assert len(lanes) == 1
        assert lanes.submit(lambda lane: lane.run(count)).result() == [(1,)]


def test_rows_that_differ_in_bits_alone_have_hashes_of_their_own(mysql: Database) -> None:
    mysql.run("CREATE TABLE t (b bit(17))", *(f"INSERT INTO t VALUES ({number})" for number in (128, 129, 130, 65600)))
    hashed = DIALECTS["mysql"].row_hash(mysql.info("t"), 0)
    assert hashed is not None
    sql = sa.select(sa.func.count(hashed.distinct())).select_from(sa.table("t"))
    compiled = str(sql.compile(dialect=mysql_package.dialect(), compile_kwargs={"literal_binds": True}))
    assert mysql.ask(compiled.replace("`", '"')) == [(4,)]
