"""How much CPU a PostgreSQL server on this machine spends.

The kernel adds up, for the server's first process, what its children spent, once they have ended: every connection and
every parallel worker, however short. So nothing else may use that server meanwhile.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from types import TracebackType

_INTERVAL = 0.02


class ServerCpu:
    """Within the context, what the connections that begin and end in it spend.

    :param postmaster: process id of the server's first process; none where there is no server to watch.
    :ivar seconds: user and system time; none without a server.
    """

    def __init__(self, postmaster: int | None) -> None:
        self._server = None if postmaster is None else psutil.Process(postmaster)
        self.seconds: float | None = None

    def __enter__(self) -> ServerCpu:
        if self._server is not None:
            self._before, self._spent_before = {child.pid for child in self._server.children()}, self._spent()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        while {child.pid for child in self._server.children()} - self._before:
            time.sleep(_INTERVAL)
        self.seconds = self._spent() - self._spent_before

    def _spent(self) -> float:
        assert self._server is not None
        times = self._server.cpu_times()
        return float(times.children_user + times.children_system)
