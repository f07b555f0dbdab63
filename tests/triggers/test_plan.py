"""The trigger behind the plan sensor."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

from profilemesh_airflow.exceptions import WarehouseUnavailableError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.triggers.plan import ProfileMeshPlanTrigger
from tests.operators.tasks import profile_all
from tests.sensors.tasks import look


def events(shop, *, interval=0.01, seconds=60.0, next_look=0.0):
    """What the trigger says until it ends."""

    async def collect():
        until = time.time() + seconds
        trigger = ProfileMeshPlanTrigger(shop.config, interval, until, next_look)
        said = [event.payload async for event in trigger.run()]
        assert all(payload.pop("until") == until for payload in said)
        return said

    return asyncio.run(collect())


def test_it_says_that_something_changed_and_has_written_nothing(shop):
    assert events(shop) == [{"status": "changed", "message": None}]
    with ProfileMeshHook(shop.config).workspace() as workspace:
        assert workspace.store.version()[0] is None, "there is no store yet"


def test_it_waits_for_a_change_as_long_as_there_is_none(shop, monkeypatch):
    look(shop)
    looks = []

    def has_news(hook):
        looks.append(None)
        if len(looks) == 3:
            shop.run("CREATE TABLE late (id INTEGER)")
            Path(shop.config).write_text(Path(shop.config).read_text().replace("{table: orders}", "{table: late}"))
        return real(hook)

    real = ProfileMeshHook.has_news
    monkeypatch.setattr(ProfileMeshHook, "has_news", has_news)
    assert events(shop) == [{"status": "changed", "message": None}]
    assert len(looks) == 3


def test_a_table_that_left_the_configuration_is_a_change(shop):
    profile_all(shop)
    assert events(shop, seconds=0.3) == [{"status": "timed_out", "message": None}]
    Path(shop.config).write_text(Path(shop.config).read_text().replace(", {table: customers}", ""))
    assert events(shop, seconds=0.3) == [{"status": "changed", "message": None}]


def test_it_gives_up_at_its_end(shop):
    look(shop)
    assert events(shop, seconds=0.5) == [{"status": "timed_out", "message": None}]


def test_it_looks_in_another_thread_than_that_of_the_event_loop(shop, monkeypatch):
    threads = []
    monkeypatch.setattr(ProfileMeshHook, "has_news", lambda _: threads.append(threading.get_ident()) or True)
    events(shop)
    assert threads != [threading.get_ident()]


def test_other_triggers_run_while_it_looks(shop, monkeypatch):
    """A look that lasts until another coroutine of the same loop has run would never end, were the loop held up."""
    free = threading.Event()
    monkeypatch.setattr(ProfileMeshHook, "has_news", lambda _: free.wait(30))

    async def both():
        trigger = ProfileMeshPlanTrigger(shop.config, 1, time.time() + 60, 0)
        first = asyncio.ensure_future(trigger.run().__anext__())
        await asyncio.sleep(0)
        free.set()
        return (await first).payload["status"]

    assert asyncio.run(both()) == "changed"


def test_a_trouble_that_passes_is_waited_for(shop, monkeypatch):
    troubles = [WarehouseUnavailableError("away"), WarehouseUnavailableError("away")]

    def has_news(_):
        if troubles:
            raise troubles.pop()
        return True

    monkeypatch.setattr(ProfileMeshHook, "has_news", has_news)
    assert events(shop) == [{"status": "changed", "message": None}]


def test_a_trouble_that_lasts_until_the_end_is_no_quiet_timeout(shop, monkeypatch):
    def has_news(_):
        raise WarehouseUnavailableError("the warehouse is away")

    monkeypatch.setattr(ProfileMeshHook, "has_news", has_news)
    assert events(shop, seconds=0.3) == [{"status": "failed", "message": "the warehouse is away"}]


def test_what_does_not_pass_is_said_at_once(shop):
    Path(shop.config).write_text(Path(shop.config).read_text().replace("shop.db", "nowhere.db"))
    ((event),) = events(shop)
    assert event["status"] == "failed"
    assert "nowhere.db" in event["message"]


def test_a_triggerer_that_starts_anew_makes_the_same_trigger_and_looks_at_once_when_that_is_over(shop):
    trigger = ProfileMeshPlanTrigger(shop.config, 3600, time.time() + 7200, time.time() - 1)
    path, arguments = trigger.serialize()
    assert path.rpartition(".")[2] == type(trigger).__name__

    async def first():
        return (await ProfileMeshPlanTrigger(**arguments).run().__anext__()).payload["status"]

    assert asyncio.run(first()) == "changed"


def test_looking_at_a_store_leaves_every_row_as_it_is(shop, tmp_path):
    store = tmp_path / "store.db"
    text = f"storage: {{connection: {{type: sqlite, filepath: {store}}}}}\n"
    Path(shop.config).write_text(Path(shop.config).read_text() + text)
    look(shop)
    shop.run("INSERT INTO orders VALUES (3, 1.0)")

    def rows():
        with sqlite3.connect(store) as connection:
            found = connection.execute("SELECT * FROM profilemesh_changes ORDER BY 1").fetchall()
        connection.close()
        return found

    before = rows()
    assert events(shop, seconds=0.3) == [{"status": "changed", "message": None}]
    assert rows() == before
