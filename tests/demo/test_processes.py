from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.processes import Session, start_session

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Started = tuple[subprocess.Popen[bytes], Session]
    Start = Callable[[str, int], Started]

#: A leader with three descendants: one like any other, one with a process group and one with a session of its own.
FAMILY = """
import os, signal, subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, preexec_fn=os.setpgrp)
subprocess.Popen(sleeper, start_new_session=True)
"""
#: Only then it has them all; whoever is interrupted while it starts one loses it.
STAYS = "import time; print('complete', flush=True); time.sleep(60)"
HEEDS_SIGINT = FAMILY + STAYS
IGNORES_SIGINT = FAMILY + "signal.signal(signal.SIGINT, signal.SIG_IGN); " + STAYS
IGNORES_ALL = FAMILY + "[signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)]; " + STAYS


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Started] = []

    def _start(program: str, size: int) -> Started:
        log = tmp_path / "log"
        process, session = start_session([sys.executable, "-c", program], os.environ, log)
        started.append((process, session))
        deadline = time.monotonic() + 60
        while "complete" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert len(session.members()) == size
        return process, session

    yield _start
    for process, session in started:
        session.kill()
        process.wait()


@pytest.mark.parametrize("program", [HEEDS_SIGINT, IGNORES_SIGINT])
def test_nothing_of_a_session_outlives_its_end(start: Start, program: str) -> None:
    process, session = start(program, 4)
    members = session.members()
    session.ask_to_end()
    session.end(grace=1)
    process.wait()
    assert session.members() == []
    # One that was killed may take a moment to be gone.
    _, left = psutil.wait_procs(members, timeout=20)
    assert [member for member in left if member.status() != psutil.STATUS_ZOMBIE] == []


def test_what_heeds_nothing_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.processes._FORCE_SECONDS", 0.5)
    process, session = start(IGNORES_ALL, 4)
    session.ask_to_end()
    session.end(grace=0.2)
    assert process.wait() == -9
    assert session.members() == []


def test_a_leader_that_left_its_children_behind_still_has_them_ended(start: Start) -> None:
    process, session = start(HEEDS_SIGINT, 4)
    process.kill()
    process.wait()
    assert not session.leads()
    session.end(grace=20)
    assert session.members() == []


def test_a_program_heeds_sigint_even_where_it_is_ignored_around_it(start: Start) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process, session = start(STAYS, 1)
    finally:
        signal.signal(signal.SIGINT, before)
    session.ask_to_end()
    assert process.wait(timeout=60) != 0


def test_the_process_of_somebody_else_with_the_same_id_is_left_alone(start: Start) -> None:
    process, session = start(STAYS, 1)
    other = replace(session, created=session.created - 1000)
    assert other.members() == []
    assert not other.leads()
    other.ask_to_end()
    other.kill()
    assert process.poll() is None


def test_children_are_those_of_the_leader_alone(start: Start) -> None:
    _, session = start(HEEDS_SIGINT, 4)
    assert len(session.children()) == 3
    assert Session(session.pid, session.created - 1).children() == []
