"""A whole Airflow 3 in a folder of its own, on this machine only, that leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import secrets
import shlex
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from demo.processes import Session, signals_held_back, start_session
from demo.rest import AirflowApi, AirflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: The command that runs all parts of Airflow under one parent.
STANDALONE = ("standalone",)
#: The same parts, each on its own, so that one of them can be stopped, killed and started again.
SEPARATE = ("api-server", "scheduler", "dag-processor", "triggerer")

USERNAME = "admin"

_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_PORTS = range(20000, 32768)
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.5
_TAIL_LINES = 40

#: Of the surrounding environment, what would change this Airflow; and what forbids it to keep compiled modules.
_FOREIGN_PREFIXES = ("AIRFLOW_", "PROFILEMESH_", "PYTHON", "VIRTUAL_ENV", "_AIRFLOW")

# A log server listens on every network interface, whatever is configured; on one machine nobody needs it.
_WRAPPER = """#!/bin/sh
case "$1" in
    {quiet}) exec {airflow} "$@" --skip-serve-logs ;;
    *) exec {airflow} "$@" ;;
esac
"""


class Standalone:
    """An Airflow with an api-server, a scheduler, a dag-processor and a triggerer.

    As a context manager it is started on entry and stopped on exit, whatever happens in between.

    :param home: ``AIRFLOW_HOME``, created if need be; logs of the processes are in it: ``<component>.log``.
    :param dags: the folder with the DAG files.
    :param bin_folder: the ``bin`` of the environment Airflow is installed in; that of this Python by default.
    :param database_url: SQLAlchemy URL of the metadata database; a SQLite file in ``home`` by default.
    :param env: more environment variables for Airflow, stronger than the ones made here.
    :param components: :data:`STANDALONE`, or :data:`SEPARATE`.
    :param log_servers: the components that take ``--skip-serve-logs``.
    :param parallelism: how many tasks run at a time.
    :param parse_seconds: after how many seconds DAG files are looked for, and parsed again.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        *,
        bin_folder: Path | None = None,
        database_url: str | None = None,
        env: Mapping[str, str] | None = None,
        components: Sequence[str] = STANDALONE,
        log_servers: Sequence[str] = ("scheduler", "triggerer"),
        parallelism: int = 4,
        parse_seconds: int = 5,
    ) -> None:
        self.home = home.absolute()
        self.components = tuple(components)
        self.password = secrets.token_urlsafe(12)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.api = AirflowApi(self.url, USERNAME, self.password)
        self._bin = (bin_folder or Path(sys.executable).parent).absolute()
        self._log_servers = tuple(log_servers)
        self._wrappers = self.home / "bin"
        self._running: dict[str, tuple[subprocess.Popen[bytes], Session]] = {}
        self._seen_parts: set[int] = set()
        self._started_at = datetime.now(timezone.utc)
        self.env = {
            **_surroundings(),
            "PATH": os.pathsep.join((str(self._wrappers), str(self._bin), os.environ.get("PATH", os.defpath))),
            **_settings(self.home, dags.absolute(), self.url, database_url),
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": str(parse_seconds),
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": str(parse_seconds),
            **(env or {}),
        }

    def __enter__(self) -> Standalone:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the processes; they are of use once :meth:`wait_healthy` has returned.

        :raises AirflowError: the metadata database cannot be brought up to date.
        """
        self._write_files()
        if self.components != STANDALONE:
            self.migrate()
        for component in self.components:
            self.start_component(component)

    def migrate(self) -> None:
        """Bring the metadata database up to date.

        :raises AirflowError: it cannot be.
        """
        self.run_command("db", "migrate")

    def start_component(self, component: str) -> None:
        """Start one component, at first or again."""
        command = [str(self._wrappers / "airflow"), component]
        self._started_at = datetime.now(timezone.utc)
        with signals_held_back():
            self._running[component] = start_session(command, self.env, self.log_of(component))

    def stop_component(self, component: str) -> None:
        """Ask one component to end, and see to it that nothing of it is left."""
        process, session = self._running[component]
        session.ask_to_end()
        session.end(_STOP_SECONDS)
        process.wait()
        del self._running[component]

    def kill_component(self, component: str) -> None:
        """End one component and all it started at once (SIGKILL)."""
        process, session = self._running[component]
        session.kill()
        process.wait()
        del self._running[component]

    def run_command(self, *arguments: str) -> None:
        """Run an ``airflow`` command to its end; what it prints is appended to ``commands.log``.

        :raises AirflowError: it failed.
        """
        log = self.home / "commands.log"
        with log.open("ab") as output:
            command = [str(self._wrappers / "airflow"), *arguments]
            done = subprocess.run(command, env=self.env, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise AirflowError(f"`airflow {shlex.join(arguments)}` ended with {done.returncode}; see {log}")

    def wait_healthy(
        self, timeout: float = 240, progress: Callable[[Mapping[str, str]], None] = lambda _: None
    ) -> None:
        """Wait until the metadata database, scheduler, triggerer and dag-processor say that they are healthy.

        What a part said before it was last started counts for nothing.

        :param timeout: seconds; a machine with nothing else to do needs 20 to 30.
        :param progress: told the status of each part, again and again.
        :raises AirflowError: a process has ended, or the time is over; with the end of the log.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.check()
            health = self.api.health(self._started_at)
            progress({part: health.get(part, "starting") for part in _PARTS})
            if all(health.get(part) == "healthy" for part in _PARTS):
                return
            if time.monotonic() > deadline:
                waiting = ", ".join(part for part in _PARTS if health.get(part) != "healthy")
                raise AirflowError(f"Airflow is not healthy after {timeout:.0f} s: {waiting}\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def wait_for_dags(self, dag_ids: set[str], timeout: float = 120) -> None:
        """Wait until the DAGs are there, and not paused.

        :raises AirflowError: a DAG file cannot be imported, a process has ended, or the time is over.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.check()
            missing = dag_ids - {dag_id for dag_id, dag in self.api.dags().items() if not dag["is_paused"]}
            if not missing:
                return
            for error in self.api.import_errors():
                raise AirflowError(f"{error['filename']} cannot be imported:\n{error['stack_trace']}")
            if time.monotonic() > deadline:
                raise AirflowError(f"after {timeout:.0f} s there is no DAG {', '.join(sorted(missing))}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End everything that was started here. Where nothing runs it does nothing."""
        for _, session in self._running.values():
            session.ask_to_end()
        for process, session in self._running.values():
            session.end(_STOP_SECONDS)
            process.wait()
        self._running.clear()
        self._seen_parts.clear()

    def kill(self) -> None:
        """End everything that was started here at once (SIGKILL), where nobody needs what it leaves behind."""
        for component in list(self._running):
            self.kill_component(component)

    def sessions(self) -> list[Session]:
        """The processes that run now, for whoever has to end them when this program no longer can."""
        return [session for _, session in self._running.values()]

    def leave_running(self) -> None:
        """:meth:`stop` no longer ends what runs now; see :meth:`sessions`."""
        self._running.clear()

    def log_of(self, component: str) -> Path:
        """The file with all that a component and its processes print."""
        return self.home / f"{component}.log"

    def log_tail(self) -> str:
        """The last lines of each component's log."""
        tails = []
        for path in map(self.log_of, self.components):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
            tails.append("\n".join([f"-- the end of {path}", *lines[-_TAIL_LINES:]]))
        return "\n".join(tails)

    def _write_files(self) -> None:
        self._wrappers.mkdir(parents=True, exist_ok=True)
        wrapper = self._wrappers / "airflow"
        wrapper.write_text(
            _WRAPPER.format(airflow=shlex.quote(str(self._bin / "airflow")), quiet=" | ".join(self._log_servers)),
            encoding="utf-8",
        )
        wrapper.chmod(0o755)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USERNAME: self.password}), encoding="utf-8")

    def check(self) -> None:
        """Make sure that every process still runs.

        :raises AirflowError: one has ended; with the end of the log.
        """
        for component, (process, session) in self._running.items():
            ended = process.poll()
            if ended is not None:
                raise AirflowError(f"airflow {component} ended with {ended}\n{self.log_tail()}")
            if self.components == STANDALONE:
                # When one of its parts dies, `airflow standalone` itself goes on as if nothing had happened.
                children = session.children()
                if self._seen_parts - {child.pid for child in children}:
                    raise AirflowError(f"a part of airflow {component} has ended\n{self.log_tail()}")
                self._seen_parts |= {child.pid for child in children if _is_part(child)}


def _is_part(process: psutil.Process) -> bool:
    """Whether it was started as one of Airflow's components; what is imported starts programs of its own, too."""
    try:
        return not set(SEPARATE).isdisjoint(process.cmdline())
    except psutil.Error:
        return False


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens now.

    It is none of those that systems give to connections, or one might have it by the time somebody listens there.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AirflowError(f"none of the ports {_PORTS.start} to {_PORTS.stop - 1} is free")


def _surroundings() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    return kept


def _settings(home: Path, dags: Path, url: str, database_url: str | None) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url or f"sqlite:///{home / 'airflow.db'}",
        # A server that has just started, on a busy machine, may take longer than the usual 5 s for its first answers.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }
