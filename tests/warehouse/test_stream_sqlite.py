"""The process that reads SQLite files: its moment is the profile's, and however it ends, the profile is right."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.exceptions import ProfileTimeoutError
from profilemesh_airflow.warehouse import Means, Warehouse
from profilemesh_airflow.warehouse.stream import sqlite as stream_sqlite
from profilemesh_airflow.warehouse.stream.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.core.profile import TableProfile
    from tests.warehouse.databases import Database

COLUMNS = {"i": "integer", "s": "text"}


@pytest.fixture(autouse=True)
def rows(sqlite: Database) -> None:
    sqlite.create("t", COLUMNS, [(n, f"text {n % 7}") for n in range(30_000)])


@pytest.fixture(params=["DELETE", "WAL"])
def journal(request: pytest.FixtureRequest, sqlite: Database) -> str:
    sqlite.run(f"PRAGMA journal_mode = {request.param}")
    return str(request.param)


def profile(database: Database, timeout: timedelta | None = None) -> TableProfile:
    return database.warehouse.profile(database.info("t"), TableSettings(), timeout, Means("stream"))


def process_of(database: Database) -> Process:
    return stream_sqlite.process_of(database.warehouse._engine(None))


def before_each(question: str, monkeypatch: pytest.MonkeyPatch, act: Callable[[Process], None]) -> None:
    """Do something before the process is asked a question."""
    ask = Process.ask

    def act_and_ask(self: Process, *asked: Any) -> Any:
        if asked[0] == question:
            act(self)
        return ask(self, *asked)

    monkeypatch.setattr(Process, "ask", act_and_ask)


def ids_of(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the processes that are asked, from now on."""
    seen: list[int] = []
    before_each("look", monkeypatch, lambda process: seen.append(process._running.pid if process._running else 0))
    return seen


def test_the_process_serves_one_table_after_another(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ids_of(sqlite, monkeypatch)
    assert [profile(sqlite).strategy["left_to_sql"] for _ in range(2)] == [{}, {}]
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_it_ends_with_the_warehouse(sqlite: Database) -> None:
    with Warehouse(sqlite.settings) as warehouse:
        info = sqlite.info("t")
        warehouse.profile(info, TableSettings(), None, Means("stream"))
        running = stream_sqlite.process_of(warehouse._engine(None))._running
        assert running is not None
        assert running.poll() is None
    assert running.poll() is not None


def test_it_ends_when_whoever_started_it_is_killed(sqlite: Database) -> None:
    code = """
import os, sys
from profilemesh_airflow.warehouse.stream.process import Process
process = Process()
process.start()
process.ask("end")
print(process._running.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(ended.stdout)
    deadline = time.monotonic() + 60
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    """Whether a process runs: one that nobody waits for stays in the table when it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("question", ["begin", "look", "end"])
def test_when_it_dies_the_profile_is_complete(sqlite: Database, monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    expected = sqlite.warehouse.profile(sqlite.info("t"), TableSettings(), None, Means("sql"))
    with monkeypatch.context() as patch:
        before_each(question, patch, _kill)
        found = profile(sqlite)
    assert set(found.strategy["left_to_sql"].values()) == {"could not be streamed"}
    assert found.columns == expected.columns
    assert profile(sqlite).strategy["left_to_sql"] == {}


def _kill(process: Process) -> None:
    process.kill()
    assert process._running is not None
    process._running.wait()


def test_the_time_limit_ends_it(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(sqlite)
    running = process_of(sqlite)._running
    assert running is not None
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS c0, '' AS c1 FROM n"
    monkeypatch.setattr(stream_sqlite, "_parts", lambda *_: (endless,))
    with pytest.raises(ProfileTimeoutError):
        profile(sqlite, timedelta(seconds=1))
    assert running.wait(60) is not None


def test_both_read_the_same_moment(sqlite: Database, journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that another program commits after the process has begun are of the next profile."""
    outcomes: list[str] = []
    before_each("look", monkeypatch, lambda _: outcomes.append(_insert(sqlite)))
    found = profile(sqlite)
    assert outcomes == [{"DELETE": "locked", "WAL": "written"}[journal]]
    assert (found.strategy["left_to_sql"], found.row_count) == ({}, 30_000)


def test_another_moment_is_noticed(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are committed between the profile's moment and that of the process: SQL answers, at the first."""
    sqlite.run("PRAGMA journal_mode = WAL")
    before_each("begin", monkeypatch, lambda _: None if _insert(sqlite) == "written" else pytest.fail("locked"))
    found = profile(sqlite)
    assert set(found.strategy["left_to_sql"].values()) == {"could not be streamed"}
    assert found.row_count == 30_000
    assert found.columns[0].metrics["max"] == 29_999


def test_no_lock_outlives_a_profile(sqlite: Database, journal: str) -> None:
    profile(sqlite)
    assert _insert(sqlite) == "written"
    assert profile(sqlite).row_count == 30_001


def _insert(database: Database) -> str:
    with closing(sqlite3.connect(database.settings.filepath or "", timeout=0)) as connection:
        try:
            with connection:
                connection.execute("INSERT INTO t VALUES (99999, 'later')")
        except sqlite3.OperationalError:
            return "locked"
    return "written"


def test_doubles_and_integers_that_they_cannot_hold_are_left_to_sqlite(sqlite: Database) -> None:
    """One reader meets whole numbers only, the other one doubles only."""
    sqlite.create("t", COLUMNS, [(2**53 + n % 2 if n < 20_000 else n / 7, "") for n in range(40_000)])
    found = profile(sqlite)
    assert list(found.strategy["left_to_sql"]) == ["i"]
    asked = sqlite.warehouse.profile(sqlite.info("t"), TableSettings(), None, Means("sql"))
    assert found.columns == asked.columns


def test_times_that_are_numbers_are_read_as_such(sqlite: Database) -> None:
    sqlite.create("t", {"at": "timestamp"}, [(None,), (1_700_000_000,), (1_700_000_001,)])
    found = profile(sqlite)
    assert found.strategy["left_to_sql"] == {}
    assert (found.columns[0].metrics["min"], found.columns[0].metrics["distinct_count"]) == (1_700_000_000, 2)
