"""Edits of real files, as editors make them."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager

import pytest

from profilemesh_airflow.usecases.edits import ConfigFiles, edits

#: How long something that happens may take on a slow machine.
PATIENCE = 60


@pytest.fixture(params=["native", "polling"])
def observer(request):
    return request.param


def digest(path):
    return ConfigFiles(path).look().digest


@asynccontextmanager
async def told(path, known, observer="native"):
    """A queue of what is told of; watching has begun when it is there."""
    queue = asyncio.Queue()

    async def listen():
        async for each in edits(path, known, debounce=0.2, observer=observer, interval=0.1):
            await queue.put(each)

    task = asyncio.create_task(listen())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.wait({task})


async def next_of(queue):
    return await asyncio.wait_for(queue.get(), PATIENCE)


def write(path, text):
    path.write_text(text)


def replace(path, text):
    draft = path.with_name(".config.yml.swp")
    draft.write_text(text)
    draft.replace(path)


def move_away_and_write(path, text):
    path.replace(path.with_name("config.yml~"))
    path.write_text(text)


@pytest.mark.parametrize("save", [write, replace, move_away_and_write])
def test_an_edit_is_told_of_once_however_the_editor_saves(tmp_path, observer, save):
    path = tmp_path / "config.yml"
    path.write_text("a: 1")

    async def story():
        async with told(path, None, observer) as queue:
            assert await next_of(queue) == digest(path)
            for number in range(2, 7):
                save(path, f"a: {number}")
                assert await next_of(queue) == digest(path)
            assert queue.empty()

    asyncio.run(story())


def test_what_is_no_edit_is_not_told_of(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("a: 1")

    async def story():
        async with told(path, digest(path)) as queue:
            # Each of them, until watching has begun and beyond; the first thing told is the edit at the end.
            for _ in range(5):
                os.utime(path)
                (tmp_path / "beside.yml").write_text("a: 2")
                path.write_text("a: [")
                await asyncio.sleep(0.3)
                path.unlink()
                await asyncio.sleep(0.3)
                path.write_text("a: 1")
                await asyncio.sleep(0.1)
            path.write_text("a: 2")
            assert await next_of(queue) == digest(path)
            assert queue.empty()

    asyncio.run(story())


def test_a_folder_that_is_put_in_anothers_place_is_an_edit(tmp_path):
    for number in (1, 2):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / "config.yml").write_text(f"a: {number}")
    (tmp_path / "current").symlink_to("r1")
    path = tmp_path / "current" / "config.yml"

    async def story():
        async with told(path, None) as queue:
            await next_of(queue)
            (tmp_path / "next").symlink_to("r2")
            (tmp_path / "next").replace(tmp_path / "current")
            assert await next_of(queue) == digest(path)
            # The new folder is watched as the old one was.
            path.write_text("a: 3")
            assert await next_of(queue) == digest(path)

    asyncio.run(story())


def test_what_the_observer_misses_is_found_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("profilemesh_airflow.usecases.edits.telling.SAFETY_SECONDS", 0.2)
    monkeypatch.setattr("profilemesh_airflow.usecases.edits.observer._WRITES", frozenset())
    path = tmp_path / "config.yml"
    path.write_text("a: 1")

    async def story():
        async with told(path, None) as queue:
            await next_of(queue)
            path.write_text("a: 2")
            assert await next_of(queue) == digest(path)

    asyncio.run(story())
