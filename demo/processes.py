"""Starting a program together with everything it starts, and ending exactly those processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: What a terminal, a user or a system sends to end a program.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_POLL_SECONDS = 0.1
_FORCE_SECONDS = 5.0


@dataclass(frozen=True)
class Session:
    """A program that leads a session of its own, and all processes of that session.

    :param pid: process id of the leader, which is the id of the session too.
    :param created: when the leader was created, in seconds since the epoch: a process id alone may be somebody else's.
    """

    pid: int
    created: float
    _asked: set[psutil.Process] = field(default_factory=set, init=False, repr=False, compare=False)

    def leads(self) -> bool:
        """Whether the leader still runs."""
        try:
            leader = psutil.Process(self.pid)
            return leader.create_time() == self.created and leader.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def members(self) -> list[psutil.Process]:
        """The running processes of the session, and their descendants in sessions of their own."""
        if self._id_is_reused():
            return []
        members = {process.pid: process for process in psutil.process_iter() if _session_of(process.pid) == self.pid}
        for process in list(members.values()):
            members.update((child.pid, child) for child in _children(process))
        return [process for process in members.values() if _runs(process)]

    def children(self) -> list[psutil.Process]:
        """The running processes that the leader itself started."""
        if not self.leads():
            return []
        return [child for child in _children(psutil.Process(self.pid), recursive=False) if _runs(child)]

    def ask_to_end(self) -> None:
        """Send the leader SIGINT, as Ctrl-C would."""
        # Of those in sessions of their own, nobody knows any more where they came from when the leader is gone.
        self._asked.update(self.members())
        if self.leads():
            _send(signal.SIGINT, [psutil.Process(self.pid)])

    def end(self, grace: float) -> None:
        """Wait for what was asked to end, then ask every process (SIGTERM), then make it end (SIGKILL).

        :param grace: seconds the leader has to end everything itself.
        """
        seen = self._wait(self._asked.union(self.members()), grace, while_led=True)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not seen:
                return
            _send(number, seen)
            seen = self._wait(seen, _FORCE_SECONDS, while_led=False)

    def kill(self) -> None:
        """End every process of the session at once, as a machine that dies would."""
        seen = self.members()
        _send(signal.SIGKILL, seen)
        self._wait(seen, _FORCE_SECONDS, while_led=False)

    def _wait(self, seen: Iterable[psutil.Process], seconds: float, *, while_led: bool) -> list[psutil.Process]:
        """Wait until all are gone, the time is over, or the leader is gone; return what still runs."""
        deadline = time.monotonic() + seconds
        known = set(seen)
        while True:
            known = {process for process in known.union(self.members()) if _runs(process)}
            if not known or time.monotonic() > deadline or (while_led and not self.leads()):
                return list(known)
            time.sleep(_POLL_SECONDS)

    def _id_is_reused(self) -> bool:
        try:
            return psutil.Process(self.pid).create_time() != self.created
        except psutil.NoSuchProcess:
            return False


def start_session(command: Sequence[str], env: Mapping[str, str], log: Path) -> tuple[subprocess.Popen[bytes], Session]:
    """Start a program in a session of its own; what it prints is appended to a file, in whose folder it works."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_heed_signals,
        )
    return process, Session(process.pid, psutil.Process(process.pid).create_time())


@contextmanager
def signals_held_back() -> Iterator[None]:
    """No signal that ends a program arrives before the block is left; starting a process and noting it is one step."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heed_signals() -> None:
    # A shell starts background jobs with SIGINT ignored, which they would pass on; and see signals_held_back.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _children(process: psutil.Process, *, recursive: bool = True) -> list[psutil.Process]:
    try:
        return process.children(recursive=recursive)
    except psutil.Error:
        return []


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _send(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
