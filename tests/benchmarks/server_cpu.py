"""How much CPU a PostgreSQL server on this machine spends for one database."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Thread

import psutil

_INTERVAL = 0.02


class ServerCpu:
    """Within the context, adds up the CPU seconds of the server's processes for ``database``."""

    def __init__(self, database: str | None) -> None:
        self._database = database
        self._seconds: dict[int, float] = {}
        self._over = Event()
        self._watcher = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ServerCpu:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    @property
    def seconds(self) -> float | None:
        """What was spent so far."""
        return sum(self._seconds.values()) if self._seconds else None

    def _watch(self) -> None:
        known: dict[int, psutil.Process] = {}
        while self._database and not self._over.wait(_INTERVAL):
            for pid in set(psutil.pids()) - known.keys():
                with suppress(psutil.Error):
                    known[pid] = psutil.Process(pid)
            for pid, process in known.items():
                with suppress(psutil.Error):
                    if pid in self._seconds or self._is_ours(process):
                        times = process.cpu_times()
                        self._seconds[pid] = times.user + times.system

    def _is_ours(self, process: psutil.Process) -> bool:
        title = " ".join(process.cmdline())
        return title.startswith("postgres:") and f" {self._database} " in title
