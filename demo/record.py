"""Which processes a demo has started, written down for whoever comes after it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import psutil

from demo.processes import Session
from demo.rest import AirflowError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE = "running.json"
_STOP_SECONDS = 15.0


class Record:
    """The processes of the demo in one folder.

    :param folder: the demo's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def write(self, sessions: Iterable[Session], *, kept: bool) -> None:
        """Write them down.

        :param kept: whether they are meant to outlive this program.
        """
        owner = None if kept else {"pid": os.getpid(), "created": psutil.Process().create_time()}
        document = {
            "owner": owner,
            "sessions": [{"pid": session.pid, "created": session.created} for session in sessions],
        }
        self._path.write_text(json.dumps(document), encoding="utf-8")

    def remove(self) -> None:
        """Forget them: none of them runs any more."""
        self._path.unlink(missing_ok=True)


def running_sessions(folder: Path) -> list[Session]:
    """What an earlier demo in this folder left running, on purpose or because it was killed.

    :raises AirflowError: the demo that started it is still at work.
    """
    path = folder / _FILE
    if not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    owner = document["owner"]
    if owner and Session(**owner).leads():
        raise AirflowError(f"process {owner['pid']} runs another `make demo` in {folder}; wait for it, or end it")
    return [session for session in (Session(**entry) for entry in document["sessions"]) if session.members()]


def stop_recorded(folder: Path) -> None:
    """End what :func:`running_sessions` finds.

    :raises AirflowError: the demo that started it is still at work.
    """
    running = running_sessions(folder)
    for session in running:
        session.ask_to_end()
    for session in running:
        session.end(_STOP_SECONDS)
    Record(folder).remove()
