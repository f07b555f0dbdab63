"""The main job, as Airflow's REST API shows it: refresh the plan, and see which tables are profiled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from demo.report import TableRun
from demo.rest import FINISHED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from demo.progress import Step
    from demo.standalone import Standalone

REFRESH_DAG = "profilemesh_plan_refresh"

#: Nothing may start for so long, in seconds, before a refresh counts as over; the scheduler looks every second.
_QUIET_SECONDS = 5.0
_POLL_SECONDS = 0.5
_TIMEOUT_SECONDS = 180.0
_TAIL_LINES = 15


class DemoError(RuntimeError):
    """The demo did not show what it promises; the message says what, and where to look."""


class MainJob:
    """Refreshes, and what they start.

    :param profiling_dags: the ids of the tables' DAGs, by table.
    """

    def __init__(self, airflow: Standalone, profiling_dags: Mapping[str, str]) -> None:
        self._airflow = airflow
        self._dags = dict(profiling_dags)
        self._tables = {dag_id: table for table, dag_id in self._dags.items()}

    def wait_for_dags(self) -> None:
        """Wait until Airflow has read the DAG files: a DAG it does not know yet would miss its event."""
        self._airflow.wait_for_dags({REFRESH_DAG, *self._tables})

    def refresh(self, expected: Collection[str], step: Step) -> list[TableRun]:
        """Refresh the plan, and wait for every run that it starts and for a while of quiet.

        :param expected: the tables that must be profiled, each once; no other may be.
        :returns: what was profiled.
        :raises DemoError: something else ran, or something failed.
        """
        known = {run["dag_run_id"] for run in self._profiling_runs()}
        run_id = self._airflow.api.trigger(REFRESH_DAG)
        runs = self._settle(run_id, known, len(expected), step)
        ran = sorted(self._tables[run["dag_id"]] for run in runs)
        if ran != sorted(expected):
            raise DemoError(f"expected runs of {_names(expected)}; there were runs of {_names(ran)}")
        return [self._table_run(run) for run in runs]

    def count_runs(self) -> dict[str, int]:
        """How many runs each table's DAG has had."""
        counts = dict.fromkeys(self._dags, 0)
        for run in self._profiling_runs():
            counts[self._tables[run["dag_id"]]] += 1
        return counts

    def _settle(self, run_id: str, known: Collection[str], expected: int, step: Step) -> list[dict[str, Any]]:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        quiet_since = None
        while time.monotonic() < deadline:
            self._airflow.check()
            refresh = self._airflow.api.run(REFRESH_DAG, run_id)
            runs = [run for run in self._profiling_runs() if run["dag_run_id"] not in known]
            for run in (refresh, *runs):
                self._must_not_fail(run)
            done = sum(run["state"] == "success" for run in runs)
            busy = refresh["state"] not in FINISHED or done < len(runs) or self._events_wait()
            now = time.monotonic()
            quiet_since = None if busy else quiet_since or now
            step.say(_progress(refresh["state"], done, expected, quiet=not busy), done)
            if quiet_since and now - quiet_since >= _QUIET_SECONDS:
                return runs
            time.sleep(_POLL_SECONDS)
        raise DemoError(f"the refresh and what it started have not ended after {_TIMEOUT_SECONDS:.0f} s")

    def _events_wait(self) -> bool:
        return any(self._airflow.api.waiting_events(dag_id) for dag_id in self._tables)

    def _profiling_runs(self) -> list[dict[str, Any]]:
        return [run for run in self._airflow.api.runs() if run["dag_id"] in self._tables]

    def _table_run(self, run: Mapping[str, Any]) -> TableRun:
        dag_id, run_id = run["dag_id"], run["dag_run_id"]
        events = self._airflow.api.triggering_events(dag_id, run_id)
        if not events:
            raise DemoError(f"run {run_id} of {dag_id} was not started by an asset event")
        summary = self._airflow.api.xcom(dag_id, run_id, "profile")
        return TableRun(self._tables[dag_id], dag_id, run_id, events[-1]["extra"], summary)

    def _must_not_fail(self, run: Mapping[str, Any]) -> None:
        if run["state"] != "failed":
            return
        dag_id, run_id = run["dag_id"], run["dag_run_id"]
        failed = [task for task in self._airflow.api.task_instances(dag_id, run_id) if task["state"] == "failed"]
        tasks = ", ".join(task["task_id"] for task in failed) or "no task"
        raise DemoError(f"run {run_id} of {dag_id} failed in {tasks}\n{self._log_tail(dag_id, run_id)}")

    def _log_tail(self, dag_id: str, run_id: str) -> str:
        folder = self._airflow.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
        tails = [f"the logs are in {folder}"]
        for path in sorted(folder.rglob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            tails += [f"-- the end of {path.relative_to(folder)}", *lines[-_TAIL_LINES:]]
        return "\n".join(tails)


def _progress(refresh: str, done: int, expected: int, *, quiet: bool) -> str:
    tables = f"{done} of {expected} tables profiled" if expected else "no table profiled"
    return f"refresh {refresh}, {tables}{', waiting whether anything else starts' if quiet else ''}"


def _names(tables: Iterable[str]) -> str:
    return ", ".join(sorted(tables)) or "no table"
