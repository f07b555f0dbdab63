"""A refresh and a drain in a process of their own, which can be killed at any step.

Run it as ``python -m tests.faults.worker CONFIG``, or with ``--serve`` to have it fork for every line of its input,
which spares each of many workers the imports. Two environment variables switch it; the package knows nothing of them.

``PROFILEMESH_FAULT``
    Where the process kills itself (SIGKILL): the name of a step, or ``name@n`` for the nth time it comes by.
``PROFILEMESH_FAULT_TRACE``
    A file to which the name of every step is written as it comes by.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from functools import wraps
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

from profilemesh_airflow.config import load_config
from profilemesh_airflow.store import Ledger
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables
from profilemesh_airflow.usecases.refresh import mark_rung, record, waiting
from profilemesh_airflow.usecases.workspace import Workspace
from profilemesh_airflow.warehouse import Warehouse

#: Each of them is one transaction of the ledger.
TRANSACTIONS = ("record", "mark_rung", "claim", "renew", "commit", "fail")
#: What is read from the profiled database.
LOOKS = ("catalog", "versions", "profile")
#: The nth statement, BEGIN or COMMIT of the whole job, whatever it belongs to.
STATEMENT = "statement"


class Steps:
    """Counts the steps by name, writes them down, and kills the process at the one that is asked for."""

    def __init__(self, fault, trace):
        name, _, times = fault.partition("@")
        self.fatal = (name, int(times or 1))
        self.trace = Path(trace) if trace else None
        self.counts = Counter()
        self.lock = threading.Lock()

    def reach(self, name):
        with self.lock:
            self.counts[name] += 1
            if self.trace:
                with self.trace.open("a", encoding="utf-8") as file:
                    file.write(f"{name}\n")
            if (name, self.counts[name]) == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def instrument(steps):
    """Have every step come by ``steps``."""
    within = threading.local()

    def reach(where):
        steps.reach(STATEMENT)
        if getattr(within, "name", None):
            steps.reach(f"{within.name}: {where}")

    event.listen(Engine, "begin", lambda *_: reach("begins"))
    event.listen(Engine, "commit", lambda *_: reach("before COMMIT"))
    event.listen(Engine, "before_cursor_execute", lambda *_: steps.reach(STATEMENT))
    for name in TRANSACTIONS:
        setattr(Ledger, name, _named(getattr(Ledger, name), name, within))
    for name in LOOKS:
        setattr(Warehouse, name, _around(getattr(Warehouse, name), name, steps))
    Database.write = _followed_by(Database.write, lambda: reach("after COMMIT"))


def _named(function, name, within):
    @wraps(function)
    def wrapper(*args, **kwargs):
        within.name = name
        try:
            return function(*args, **kwargs)
        finally:
            within.name = None

    return wrapper


def _around(function, name, steps):
    @wraps(function)
    def wrapper(*args, **kwargs):
        steps.reach(f"before {name}")
        if name == "profile" and steps.fatal[0].startswith("renew"):
            # Long enough for a heartbeat.
            time.sleep(5)
        answer = function(*args, **kwargs)
        steps.reach(f"after {name}")
        return answer

    return wrapper


def _followed_by(function, then):
    @wraps(function)
    def wrapper(*args, **kwargs):
        answer = function(*args, **kwargs)
        then()
        return answer

    return wrapper


def work(config):
    """Refresh, ring, and profile the tables that are rung, with the use cases that operators and command line call."""
    with Workspace(load_config(config)) as workspace:
        due = record(workspace, detect(workspace))
        rung = waiting(workspace, [entry.change_id for entry in due])
        mark_rung(workspace, rung)
        profile_tables(workspace, [entry.ref for entry in rung], Worker(f"process {os.getpid()}"))


def run(config):
    """Work as the environment says; the exit code."""
    instrument(Steps(os.environ.get("PROFILEMESH_FAULT", ""), os.environ.get("PROFILEMESH_FAULT_TRACE")))
    try:
        work(config)
    except Exception:  # noqa: BLE001 - shown, and told by the exit code
        traceback.print_exc()
        return 1
    return 0


def serve():
    """Fork a worker for every line, one after the other, and answer its exit code: negative where it was killed."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            os.environ.update(order["environment"])
            os._exit(run(order["config"]))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve()
    else:
        sys.exit(run(sys.argv[1]))
