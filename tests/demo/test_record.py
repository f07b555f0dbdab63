from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.processes import Session, start_session
from demo.record import Record, running_sessions, stop_recorded
from demo.rest import AirflowError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Session]]:
    process, session = start_session(
        [sys.executable, "-c", "import time; time.sleep(60)"], os.environ, tmp_path / "log"
    )
    yield process, session
    session.kill()
    process.wait()


def test_without_a_record_nothing_is_stopped(tmp_path: Path) -> None:
    assert running_sessions(tmp_path) == []
    stop_recorded(tmp_path)


def test_what_was_kept_is_stopped_and_forgotten(
    tmp_path: Path, sleeper: tuple[subprocess.Popen[bytes], Session]
) -> None:
    process, session = sleeper
    Record(tmp_path).write([session], kept=True)
    assert running_sessions(tmp_path) == [session]
    stop_recorded(tmp_path)
    assert process.wait(timeout=60) != 0
    assert running_sessions(tmp_path) == []


def test_a_demo_that_is_still_at_work_is_not_disturbed(
    tmp_path: Path, sleeper: tuple[subprocess.Popen[bytes], Session]
) -> None:
    process, session = sleeper
    Record(tmp_path).write([session], kept=False)
    with pytest.raises(AirflowError, match=f"process {os.getpid()} runs another `make demo`"):
        stop_recorded(tmp_path)
    assert process.poll() is None


def test_a_record_of_processes_that_are_gone_is_thrown_away(tmp_path: Path) -> None:
    gone = Session(os.getpid(), psutil.Process().create_time() - 1000)
    Record(tmp_path).write([gone], kept=True)
    assert running_sessions(tmp_path) == []
    stop_recorded(tmp_path)
    assert list(tmp_path.iterdir()) == []
