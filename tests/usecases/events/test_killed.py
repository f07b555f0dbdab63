"""A worker that is killed between a commit and its event."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import sys
from contextlib import closing

import pytest

from profilemesh_airflow.usecases.events import Announcer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills a forked process")


def profile_and_die(shop, event_type):
    really = Announcer.tell

    def tell(self, happened):
        told = [each for each in happened if each is not None]
        if event_type in {each.event_type for each in told}:
            os.kill(os.getpid(), signal.SIGKILL)
        really(self, told)

    Announcer.tell = tell
    shop.profile("orders")


def events(shop):
    with closing(sqlite3.connect(shop.store)) as connection:
        return [kind for (kind,) in connection.execute("SELECT event_type FROM profilemesh_events ORDER BY event_id")]


def test_the_table_is_profiled_and_nobody_was_told(shop):
    shop.configure("orders", "users", "items", hooks={"hooks": [{"type": "sql"}]})
    process = multiprocessing.get_context("fork").Process(target=profile_and_die, args=(shop, "profiling_completed"))
    process.start()
    process.join()

    assert process.exitcode == -signal.SIGKILL
    assert events(shop) == ["change_detected", "profiling_started"]
    # The ledger is the truth: there is nothing to do for the table, and no event is made up for it.
    assert shop.refresh(["orders"]) == []
    with shop.open() as workspace:
        assert set(workspace.ledger.baselines()) == {"orders"}
    assert events(shop)[2:] == ["plan_refreshed"]
