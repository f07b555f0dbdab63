"""``make demo``: the main job on a real Airflow, with real data, from nothing."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.markup import escape

from demo import data
from demo.job import REFRESH_DAG, DemoError, MainJob
from demo.processes import ENDING_SIGNALS
from demo.progress import Step
from demo.record import Record, running_sessions, stop_recorded
from demo.report import TableRun, results_table, runs_table
from demo.rest import AirflowError
from demo.standalone import USERNAME, Standalone

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
DATABASE = FOLDER / "nycflights13.db"
CONFIG = FOLDER / "config.yml"
DAG_FILES = ("profilemesh_plan_refresh.py", "profilemesh_tables.py")

#: What changes between the first refresh and the second.
GROWING, GROWTH = "flights", 500
RESTYLED, FEWER_METRICS = "weather", ["count", "null_count", "null_percent", "min", "max", "mean"]

#: What is shown of the results store.
SHOWN_COLUMNS = ("dep_delay", "air_time", "distance", "carrier", "dest")
SHOWN_METRICS = ("null_percent", "distinct_count", "min", "max", "mean", "stddev")


def main(arguments: list[str] | None = None) -> int:
    """Run the demo, or stop the one that was left running; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Airflow running, and print where it is")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left running")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    _end_tidily()
    try:
        if options.stop:
            if not _stop_earlier(console):
                console.print("no demo is running")
        else:
            _run(console, keep=options.keep)
    except (AirflowError, DemoError, OSError, subprocess.CalledProcessError) as error:
        console.print(f"\n[bold red]The demo failed:[/] {escape(str(error))}", soft_wrap=True)
        if FOLDER.exists() and not options.stop:
            console.print(f"Its files and logs are in {escape(str(FOLDER))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted")
        return 130
    return 0


def _run(console: Console, *, keep: bool) -> None:
    _stop_earlier(console)
    _prepare_folder()
    with ExitStack() as stack:
        airflow = Standalone(FOLDER / "airflow", FOLDER / "dags", env={"PROFILEMESH_CONFIG": str(CONFIG)})
        record = Record(FOLDER)
        stack.callback(_stop, console, airflow, record)
        airflow.start()
        record.write(airflow.sessions(), kept=False)
        _show(console, airflow)
        if keep:
            record.write(airflow.sessions(), kept=True)
            airflow.leave_running()
            _show_login(console, airflow)


def _show(console: Console, airflow: Standalone) -> None:
    with Step(console, "nycflights13 into SQLite, while Airflow starts", data.TOTAL_ROWS).running() as step:
        _load(step)
    with Step(console, f"Airflow (standalone) at {airflow.url}").running() as step:
        airflow.wait_healthy(progress=lambda health: step.say(_waiting_for(health)))
        job = MainJob(airflow, {table: f"profilemesh_profile.demo.nycflights13.{table}" for table in data.TABLES})
        step.say("reading the DAG files")
        job.wait_for_dags()

    _head(console, "1. The first refresh: every table is new")
    runs = _refresh(console, job, set(data.TABLES), {"added"})
    console.print(runs_table(runs))
    _show_results(console, airflow)

    _head(console, f"2. {GROWTH} rows more in {GROWING}, fewer metrics for {RESTYLED}: exactly these two run")
    data.append_copies(DATABASE, GROWING, GROWTH)
    _write_config({RESTYLED: {"metrics": FEWER_METRICS}})
    runs = _refresh(console, job, {GROWING, RESTYLED}, {"data", "settings"})
    console.print(runs_table(runs))

    _head(console, "3. Nothing has changed since: nothing runs")
    _refresh(console, job, set(), set())
    console.print(f"runs of each table's DAG, in all: {_in_words(job.count_runs())}", soft_wrap=True)
    _check_ledger(airflow)
    console.print("the ledger says the same: every table is current\n")


def _refresh(console: Console, job: MainJob, expected: set[str], kinds: set[str]) -> list[TableRun]:
    with Step(console, f"a run of {REFRESH_DAG}", len(expected)).running() as step:
        runs = job.refresh(expected, step)
    found = {kind for run in runs for kind in run.kinds}
    if found != kinds:
        raise DemoError(f"expected the reasons {sorted(kinds)}, Airflow's asset events say {sorted(found)}")
    return runs


def _load(step: Step) -> None:
    loaded = dict.fromkeys(data.TABLES, 0)

    def tell(table: str, rows: int) -> None:
        loaded[table] = rows
        step.say(f"{table}: {rows:,} rows", sum(loaded.values()))

    data.load(DATABASE, progress=tell)


def _prepare_folder() -> None:
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    (FOLDER / "dags").mkdir(parents=True)
    _write_config({})
    for name in DAG_FILES:
        shutil.copy(ROOT / "dags" / name, FOLDER / "dags" / name)


def _write_config(overrides: Mapping[str, Mapping[str, Any]]) -> None:
    config = {
        "environment": "demo",
        "source": {"type": "sqlite", "name": "nycflights13", "filepath": str(DATABASE)},
        "profiling": {"tables": [{"table": table, **overrides.get(table, {})} for table in data.TABLES]},
        # What runs here, the demo starts.
        "airflow": {"watch": {"enabled": False}},
    }
    written = CONFIG.with_suffix(".new")
    written.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    written.replace(CONFIG)


def _profilemesh(airflow: Standalone, *arguments: str) -> Any:
    """What the command line says, which reads the same store without Airflow."""
    command = [sys.executable, "-m", "profilemesh_airflow", *arguments, "--config", str(CONFIG), "--format", "json"]
    done = subprocess.run(command, env=airflow.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"profilemesh-airflow {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def _show_results(console: Console, airflow: Standalone) -> None:
    document = _profilemesh(airflow, "results", GROWING)
    columns = [column for column in document["columns"] if column["column"] in SHOWN_COLUMNS]
    console.print(f"\nfrom the results store, some of {GROWING} (profilemesh-airflow results {GROWING}):")
    console.print(results_table(columns, SHOWN_METRICS))


def _check_ledger(airflow: Standalone) -> None:
    states = {table["table_key"]: table["state"] for table in _profilemesh(airflow, "status")["tables"]}
    if states != dict.fromkeys(data.TABLES, "current"):
        raise DemoError(f"profilemesh-airflow status says: {_in_words(states)}")


def _show_login(console: Console, airflow: Standalone) -> None:
    console.print(f"[bold]Airflow is left running:[/] {airflow.url}", soft_wrap=True)
    console.print(f"  user {USERNAME}, password {airflow.password}", soft_wrap=True)
    console.print("  `make demo-stop` ends it, and so does the next `make demo`", soft_wrap=True)
    console.print(f"  change {escape(str(CONFIG))} or the database beside it, and trigger {REFRESH_DAG}")


def _stop_earlier(console: Console) -> bool:
    running = running_sessions(FOLDER)
    if running:
        with Step(console, "stopping the demo that still runs here").running():
            stop_recorded(FOLDER)
    return bool(running)


def _stop(console: Console, airflow: Standalone, record: Record) -> None:
    if not airflow.sessions():
        return
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        with Step(console, "stopping Airflow").running():
            airflow.stop()
    finally:
        airflow.stop()
        record.remove()


def _end_tidily() -> None:
    """Leave by an exception, whatever asks the program to end, so that Airflow is stopped on the way."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    for number in ENDING_SIGNALS:
        signal.signal(number, leave)


def _head(console: Console, text: str) -> None:
    console.print(f"\n[bold]{escape(text)}[/]", soft_wrap=True)


def _waiting_for(health: Mapping[str, str]) -> str:
    waiting = [part for part, status in health.items() if status != "healthy"]
    return f"waiting for {', '.join(waiting)}" if waiting else "all parts are healthy"


def _in_words(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


if __name__ == "__main__":
    sys.exit(main())
