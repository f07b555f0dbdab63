"""Telling of edits, for as long as somebody listens."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from profilemesh_airflow.core.watching import Watching
from profilemesh_airflow.usecases.edits.files import ConfigFiles
from profilemesh_airflow.usecases.edits.observer import FileObserver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

#: So often the files are looked at even where nobody told of a write: a watched directory may be replaced as a whole.
SAFETY_SECONDS = 60.0


async def edits(
    path: Path, known: str | None, *, debounce: float = 1.0, observer: str = "auto", interval: float = 5.0
) -> AsyncIterator[str]:
    """The digest of a configuration's files, each time they hold something else than before and are quiet.

    A touch, a file that was saved in half, and one that is deleted are no edits; one that comes back with another
    content is. What was written before the first look is an edit, too, where it is not ``known``.

    :param path: the configuration.
    :param known: the digest that is already told of; none tells of what is there.
    :param debounce: seconds without a write, after which they are quiet.
    :param observer: this and ``interval`` are as for :class:`.FileObserver`.
    """
    moved = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hand_over() -> None:
        with suppress(RuntimeError):  # the loop has ended, and its observer is about to
            loop.call_soon_threadsafe(moved.set)

    files = ConfigFiles(path)
    watcher = FileObserver(hand_over, observer, interval)
    state = Watching(debounce, known)
    looked = False
    try:
        await asyncio.to_thread(watcher.watch, files.entries)
        state = state.stirred(time.monotonic() - debounce)
        while True:
            state = await _until_quiet(state, moved)
            look = await asyncio.to_thread(files.look)
            if await asyncio.to_thread(watcher.watch, files.entries):
                # Between the look and the watch there may have been a write.
                moved.set()
            if look.trouble and look.trouble != state.trouble:
                log.warning("the configuration is waited for: %s", look.trouble)
            if not looked:
                log.info("watching the configuration %s", path)
            looked = True
            state, edited = state.looked(look)
            if edited and look.digest:
                log.info("the configuration was edited: %s", path)
                yield look.digest
    finally:
        watcher.stop()


async def _until_quiet(state: Watching, moved: asyncio.Event) -> Watching:
    """Wait until something stirred, and then nothing for a while."""
    while True:
        wait = state.wait(time.monotonic())
        if wait == 0 and not moved.is_set():
            return state
        try:
            await asyncio.wait_for(moved.wait(), SAFETY_SECONDS if wait is None else wait)
            moved.clear()
            state = state.stirred(time.monotonic())
        except asyncio.TimeoutError:
            if wait is None:
                state = state.stirred(time.monotonic())
