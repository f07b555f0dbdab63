"""``watch``: start a refresh whenever the configuration was edited, for as long as the process runs."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from datetime import datetime, timezone
from getpass import getuser
from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow.cli.airflow import airflow_options, refresh_dag_option
from profilemesh_airflow.cli.program import INTERRUPTED
from profilemesh_airflow.cli.session import Session, command_options
from profilemesh_airflow.exceptions import AirflowUnavailableError, ProfileMeshError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from profilemesh_airflow.cli.airflow import AirflowAddress
    from profilemesh_airflow.config.airflow import WatchConfig

#: Seconds between two tries to reach an Airflow that is away: at first, and at most.
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 60.0

#: What the ledger says of why.
REASON = "the configuration was edited"


@click.command()
@refresh_dag_option
@airflow_options
@command_options
def watch(session: Session, airflow: AirflowAddress, dag_id: str) -> None:
    """Start a refresh whenever the configuration was edited.

    Runs until it is told to stop (SIGTERM: exit code 0, Ctrl-C: 130). From Airflow 3.0 on the refresh DAG does this by
    itself; this is for Airflow 2, and for where the triggerer does not see the file.

    The files are compared with what the last refresh used, so that nothing is missed that was edited while this did not
    run. An Airflow that is away is asked again and again; one that refuses ends it, with exit code 1. What happens is
    told on stderr, one line each; with --format json as JSON.
    """
    from profilemesh_airflow.cli.progress import logged
    from profilemesh_airflow.usecases.ask import start_refresh
    from profilemesh_airflow.usecases.edits import last_refreshed

    with airflow.require(session) as api, session.workspace() as workspace, logged(session):
        report = _Report(session)
        path, settings = workspace.config.path, workspace.config.model.airflow.watch
        try:
            known = last_refreshed(workspace)
        except ProfileMeshError as error:
            report("store_unreadable", why=str(error))
            known = None
        workspace.close()  # nothing more is asked of the databases

        def refresh() -> str:
            return start_refresh(api, dag_id, reason=REASON, by=airflow.username or getuser())

        report("watching", config=str(path), airflow=api.url, dag_id=dag_id)
        ended = asyncio.run(_Watcher(refresh, report).until_stopped(path, known, settings))
    report("stopped", signal=ended.name)
    click.get_current_context().exit(INTERRUPTED if ended == signal.SIGINT else 0)


class _Report:
    """Tells what happens, one line each."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, event: str, **details: str | float) -> None:
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        if self._session.as_json:
            line = json.dumps({"at": at, "event": event, **details})
        else:
            line = " ".join([at, event, *(f"{name}={json.dumps(value)}" for name, value in details.items())])
        click.echo(self._session.hide(line), err=True)


class _Watcher:
    """Watches the files, and asks for a refresh after each edit until it is granted."""

    def __init__(self, refresh: Callable[[], str], report: _Report) -> None:
        self._refresh = refresh
        self._report = report

    async def until_stopped(self, path: Path, known: str | None, settings: WatchConfig) -> signal.Signals:
        """Watch until a signal comes; returns it.

        :raises ProfileMeshError: Airflow refuses.
        """
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[signal.Signals] = loop.create_future()

        def stop(number: signal.Signals) -> None:
            if not stopped.done():
                stopped.set_result(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        work = asyncio.ensure_future(self._work(path, known, settings))
        first: set[asyncio.Future[Any]] = {work, stopped}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await work
        work.cancel()
        await asyncio.wait({work})
        return stopped.result()

    async def _work(self, path: Path, known: str | None, settings: WatchConfig) -> None:
        from profilemesh_airflow.usecases.edits import edits

        debounce, interval = settings.debounce.total_seconds(), settings.interval.total_seconds()
        async for digest in edits(path, known, debounce=debounce, observer=settings.observer, interval=interval):
            self._report("edited", digest=digest)
            await self._ask()

    async def _ask(self) -> None:
        wait = SHORTEST_WAIT
        while True:
            try:
                run_id = await asyncio.to_thread(self._refresh)
            except AirflowUnavailableError as error:
                delay = random.uniform(wait / 2, wait)
                self._report("airflow_away", why=str(error), again_in=round(delay, 1))
                await asyncio.sleep(delay)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                self._report("refresh_started", run_id=run_id)
                return
