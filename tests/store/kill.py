"""Killing a process between any two statements."""

from __future__ import annotations

import multiprocessing
import os
import signal

from sqlalchemy import event
from sqlalchemy.engine import Engine


def kill_at(step, action) -> bool:
    """Run ``action`` in another process, and kill that before its ``step``-th statement or commit.

    Returns whether it came so far. The caller must not share an open connection with it.
    """

    def run():
        steps = iter(range(1, 10_000))

        def count(*_):
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", count)
        event.listen(Engine, "commit", count)
        action()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0
