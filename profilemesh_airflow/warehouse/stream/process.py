"""The process that reads SQLite files for this one: started when it is first needed, and kept for the next table."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from threading import Lock
from typing import Any

from profilemesh_airflow.warehouse.stream.messages import Refusal

log = logging.getLogger(__name__)

#: It finds its modules where this process does, and nowhere else.
_CODE = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from profilemesh_airflow.warehouse.stream.worker import main
main()
"""

#: Seconds to end of its own accord.
_PATIENCE = 5.0


class RefusedError(Exception):
    """There is no answer, and why."""


class Process:
    """Asks one question at a time; a process that died, or was killed, is replaced at the next :meth:`start`."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None
        self.lock = Lock()

    def start(self) -> None:
        """Start it, unless it runs; it is not waited for.

        :raises OSError: there can be no such process.
        """
        if self._running is not None and self._running.poll() is None:
            return
        self.close()
        self._running = subprocess.Popen(
            [sys.executable, "-I", "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._tell(sys.path)

    def ask(self, *question: Any) -> Any:
        """Its answer.

        :raises RefusedError: it has none, or has died.
        """
        try:
            self._tell(question)
            assert self._running is not None
            assert self._running.stdout is not None
            answer = pickle.load(self._running.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.kill()
            raise RefusedError("the process that reads the file has died") from error
        if isinstance(answer, Refusal):
            raise RefusedError(answer.reason)
        return answer

    def kill(self) -> None:
        """End it at once, whatever it is doing: it only reads."""
        if (running := self._running) is not None:
            running.kill()

    def close(self) -> None:
        """End it; a later question would start another."""
        running, self._running = self._running, None
        if running is None:
            return
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            running.stdin.close()
        except OSError as error:
            log.debug("the process was gone before its input was closed: %s", error)
        try:
            running.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        running.stdout.close()

    def _tell(self, what: Any) -> None:
        assert self._running is not None
        assert self._running.stdin is not None
        pickle.dump(what, self._running.stdin)
        self._running.stdin.flush()
