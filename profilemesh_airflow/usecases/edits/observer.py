"""Being told of writes to files: by the operating system, or, on network file systems, by looking again and again."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.polling import PollingObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver, ObservedWatch

log = logging.getLogger(__name__)

MOUNTS = Path("/proc/mounts")

#: File systems whose other users' writes the operating system does not tell of.
_REMOTE = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|virtiofs|vboxsf|prl_fs|drvfs|afs|ceph|glusterfs|lustre|gpfs|beegfs|ocfs2|gfs2|fuse(\..+)?"
)

#: What happens when a file is read is no sign of a write.
_WRITES = frozenset({"created", "modified", "moved", "deleted", "closed"})


class FileObserver:
    """Calls ``stir`` when one of some files may have been written, from a thread of its own.

    :param stir: what is called, without arguments.
    :param kind: ``native``, ``polling``, or ``auto``, which polls where a file is on a network.
    :param interval: seconds between two looks of polling.
    """

    def __init__(self, stir: Callable[[], None], kind: str = "auto", interval: float = 5.0) -> None:
        self._handler = _Handler(stir)
        self._kind = kind
        self._interval = interval
        self._observer: BaseObserver | None = None
        self._polls = False
        self._watches: dict[Path, tuple[object, ObservedWatch]] = {}

    def watch(self, files: Iterable[Path]) -> bool:
        """Watch these files from now on; a directory that was made anew is watched anew.

        :returns: whether something is watched that was not before, so that a write may have been missed.
        """
        wanted = frozenset(files)
        self._handler.names = frozenset(map(str, wanted))
        folders = {file.parent for file in wanted}
        polls = self._kind == "polling" or (self._kind == "auto" and any(map(is_remote, folders)))
        if self._observer is not None and polls > self._polls:
            self.stop()
        if self._observer is None:
            self._start(polls)
        for folder in [each for each in self._watches if self._watches[each][0] != _identity(each)]:
            self._forget(folder)
        new = [folder for folder in sorted(folders) if folder not in self._watches]
        return any([self._add(folder) for folder in new])

    def stop(self) -> None:
        """Watch nothing any more. Its thread ends by itself."""
        if self._observer is not None:
            self._observer.stop()
        self._observer = None
        self._watches.clear()

    def _start(self, polls: bool) -> None:
        try:
            self._observer = PollingObserver(timeout=self._interval) if polls else Observer()
            self._observer.start()
        except OSError as error:
            if polls:
                raise
            self._poll_instead(error)
            return
        self._polls = polls

    def _poll_instead(self, error: OSError) -> None:
        log.warning(
            "the operating system cannot tell of writes (%s): files are looked at every %g s; raise "
            "fs.inotify.max_user_instances and max_user_watches, or set airflow.watch.observer: polling",
            error.strerror or error,
            self._interval,
        )
        self._kind = "polling"
        self.stop()
        self._start(True)

    def _add(self, folder: Path) -> bool:
        identity = _identity(folder)
        if identity is None or self._observer is None:
            return False
        try:
            watch = self._observer.schedule(self._handler, str(folder), recursive=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            if self._polls:
                log.warning("%s cannot be watched: %s", folder, error.strerror or error)
                return False
            folders = [*self._watches, folder]
            self._poll_instead(error)
            return any([self._add(each) for each in folders])
        self._watches[folder] = (identity, watch)
        return True

    def _forget(self, folder: Path) -> None:
        _, watch = self._watches.pop(folder)
        if self._observer is not None:
            try:
                self._observer.unschedule(watch)
            except (KeyError, OSError) as error:
                log.debug("%s was no longer watched: %r", folder, error)


def is_remote(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Whether a directory is on a file system of another machine, as far as the operating system tells."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    place = os.path.realpath(folder)
    longest, kind = 0, ""
    for fields in (line.split(" ") for line in lines):
        # A space in a path is written as \040; of several mounts at one place the last one counts.
        at = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]) if len(fields) > 2 else ""
        if at and len(at) >= longest and f"{place}/".startswith(f"{at.rstrip('/')}/"):
            longest, kind = len(at), fields[2]
    return _REMOTE.fullmatch(kind) is not None


class _Handler(FileSystemEventHandler):
    def __init__(self, stir: Callable[[], None]) -> None:
        self._stir = stir
        self.names: frozenset[str] = frozenset()

    def dispatch(self, event: FileSystemEvent) -> None:
        paths = {os.fsdecode(path) for path in (event.src_path, getattr(event, "dest_path", "")) if path}
        if event.event_type in _WRITES and not paths.isdisjoint(self.names):
            self._stir()


def _identity(folder: Path) -> object:
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
