"""A profile that takes too long is stopped, here and on the server."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.exceptions import ProfileError, ProfileTimeoutError
from profilemesh_airflow.warehouse import Warehouse, connect
from profilemesh_airflow.warehouse.deadline import Deadline
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.lanes import Lanes
from tests.warehouse.activity import running, sleeping, until

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

#: A view that takes many seconds to read.
SLOW = {
    "postgres": "CREATE VIEW slow AS SELECT i AS a, length(pg_sleep(0.1)::text) AS b FROM generate_series(1, 600) g(i)",
    "duckdb": "CREATE VIEW slow AS SELECT a.range AS a, 1 AS b FROM range(1000000000) a, range(1000000000) b "
    "WHERE a.range % 7 = b.range % 5",
    "mysql": "CREATE VIEW slow AS SELECT ordinal_position AS a, sleep(0.1) AS b FROM information_schema.columns",
    "sqlite": "CREATE VIEW slow AS WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 2e9) "
    "SELECT a FROM n",
}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_a_profile_that_takes_too_long_is_stopped_and_says_what_to_change(database: Database) -> None:
    database.run(SLOW[database.kind])
    info, started = database.info("slow"), monotonic()
    message = r"slow was not profiled within 0\.5 s .*profiling\.timeout, or in `timeout` of its own entry"
    with pytest.raises(ProfileTimeoutError, match=message):
        database.warehouse.profile(info, TableSettings(), timeout=seconds(0.5))
    assert 0.5 <= monotonic() - started < 30
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("profilemesh_")]
    if database.kind == "postgres":
        assert until(lambda: not running(database), 30)


def test_the_time_is_that_of_the_whole_table_and_not_of_one_statement(postgres: Database) -> None:
    """Each of its two scans takes 0.6 s."""
    postgres.run("CREATE VIEW v AS SELECT i + length(pg_sleep(0.02)::text) AS a FROM generate_series(1, 30) AS g(i)")
    info = postgres.info("v")
    settings = TableSettings(metrics=("distinct_count", "stddev"))
    assert postgres.warehouse.profile(info, settings, timeout=seconds(30)).columns[0].errors == {}
    with pytest.raises(ProfileTimeoutError):
        postgres.warehouse.profile(info, settings, timeout=seconds(1))


def test_enough_time_changes_nothing(database: Database) -> None:
    database.create("t", {"a": "integer", "s": "text"}, [(n % 7, str(n)) for n in range(50)])
    info = database.info("t")
    bounded = database.warehouse.profile(info, TableSettings(), timeout=timedelta.max)
    assert bounded.columns == database.profile("t").columns


def test_a_shorter_limit_of_the_servers_own_stays_and_is_no_timeout_of_ours(postgres: Database) -> None:
    postgres.run(SLOW["postgres"])
    settings = replace(postgres.settings, extra_params={"options": "-c statement_timeout=300ms"})
    started = monotonic()
    with Warehouse(settings) as warehouse, pytest.raises(ProfileError, match="due to statement timeout") as raised:
        warehouse.profile(postgres.info("slow"), TableSettings(), timeout=seconds(30))
    assert not isinstance(raised.value, ProfileTimeoutError)
    assert monotonic() - started < 30


@pytest.mark.usefixtures("driver")
def test_either_driver_stops_the_server(postgres: Database) -> None:
    postgres.run(SLOW["postgres"])
    with pytest.raises(ProfileTimeoutError):
        postgres.warehouse.profile(postgres.info("slow"), TableSettings(), timeout=seconds(0.5))
    assert until(lambda: not running(postgres), 30)


def test_the_server_ends_a_statement_whose_client_does_nothing(postgres: Database) -> None:
    """As when the process hangs: nobody waits for the deadline, and the lane is not stopped."""
    engine, started = connect(postgres.settings), monotonic()
    deadline = Deadline("t", seconds(0.3))
    with (
        pytest.raises(ProfileTimeoutError),
        Lanes(engine, DIALECTS["postgres"], postgres.settings, 1, deadline) as lanes,
    ):
        lanes.submit(lambda lane: lane.run(sa.text("SELECT pg_sleep(60)"))).result()
    assert monotonic() - started < 40
    engine.dispose()


WORKER = """
import sys
from datetime import timedelta
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.warehouse import Warehouse

host, port, database, username, password, schema, timeout = sys.argv[1:]
settings = ConnectionSettings("postgres", host=host, port=int(port or 5432), database=database, username=username,
                              password=password or None, schema=schema)
with Warehouse(settings) as warehouse:
    ref = TableRef("slow")
    info = warehouse.catalog([ref])[ref]
    warehouse.profile(info, TableSettings(), timeout=timedelta(seconds=float(timeout)))
"""


def test_the_server_ends_the_statements_of_a_process_that_was_killed(postgres: Database) -> None:
    postgres.run("CREATE VIEW slow AS SELECT 1 AS a, length(pg_sleep(60)::text) AS b")
    at = postgres.settings
    arguments = [at.host, at.port, at.database, at.username, at.password, at.schema, 8]
    worker = subprocess.Popen([sys.executable, "-c", WORKER, *(str(argument or "") for argument in arguments)])
    try:
        assert until(lambda: sleeping(postgres), 90)
    finally:
        worker.kill()
        worker.wait()
    assert sleeping(postgres)
    assert until(lambda: not running(postgres), 40)


def test_the_wait_for_a_lock_counts_too(sqlite: Database) -> None:
    sqlite.create("t", {"a": "integer"}, [(1,)])
    info = sqlite.info("t")
    with Warehouse(replace(sqlite.settings, extra_params={"timeout": 1})) as warehouse, sqlite.connect() as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProfileTimeoutError):
            warehouse.profile(info, TableSettings(), timeout=seconds(0.2))
