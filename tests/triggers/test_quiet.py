"""The trigger behind a profile that others start."""

from __future__ import annotations

import asyncio
import threading
import time

from profilemesh_airflow.exceptions import WarehouseUnavailableError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.triggers.quiet import ProfileMeshQuietTrigger


def waited(shop, key="orders", debounce=0.01, seconds=60.0):
    """What the trigger says in the end."""
    trigger = ProfileMeshQuietTrigger(shop.config, None, key, debounce, time.time() + seconds)

    async def collect():
        return [event.payload async for event in ProfileMeshQuietTrigger(**trigger.serialize()[1]).run()]

    (said,) = asyncio.run(collect())
    return said


def answering(monkeypatch, answers):
    """Has the warehouse answer these versions, and the last one for ever; counts the looks."""
    looks = []

    def data_version(_, key):
        looks.append((key, threading.get_ident()))
        answer = answers[min(len(looks), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ProfileMeshHook, "data_version", data_version)
    return looks


def test_rows_that_are_quiet_are_waited_for_once(shop, monkeypatch):
    looks = answering(monkeypatch, ["1"])
    assert waited(shop) == {"known": True}
    assert [key for key, _ in looks] == ["orders", "orders"]
    assert threading.get_ident() not in {thread for _, thread in looks}


def test_a_storm_is_waited_for_until_it_is_over(shop, monkeypatch):
    looks = answering(monkeypatch, ["1", "2", "3", "4"])
    assert waited(shop) == {"known": True}
    assert len(looks) == 5


def test_a_version_that_nobody_knows_is_waited_for_once(shop, monkeypatch):
    looks = answering(monkeypatch, [None])
    assert waited(shop) == {"known": False}
    assert len(looks) == 2


def test_rows_that_never_rest_are_profiled_in_the_end(shop, monkeypatch):
    answering(monkeypatch, list(map(str, range(100_000))))
    assert waited(shop, seconds=0.3) == {"known": True}


def test_what_cannot_be_looked_at_is_left_to_the_task(shop, monkeypatch):
    answering(monkeypatch, ["1", WarehouseUnavailableError("away")])
    assert waited(shop) == {"known": False}


def test_the_version_is_the_warehouses_own(shop):
    before = ProfileMeshHook(shop.config).data_version("orders")
    shop.run("INSERT INTO orders VALUES (3, 1.0)")
    assert before != ProfileMeshHook(shop.config).data_version("orders")
    assert waited(shop) == {"known": True}
