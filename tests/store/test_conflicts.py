"""Transactions that get in each other's way on a real server: the one that has to give way is done again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier
from time import monotonic, sleep

import pytest
from sqlalchemy import text

from profilemesh_airflow.store import database as transactions, ledger as ledgers
from profilemesh_airflow.store.database import ConflictError, Database
from profilemesh_airflow.store.reconcile import reconcile

SERVERS = pytest.mark.parametrize("settings", ["postgres", "mysql"], indirect=True)
TOUCH = text("UPDATE profilemesh_changes SET rings = rings + 1 WHERE table_key = :key")
ORDERS, ITEMS = "sales.orders", "sales.items"
#: Seconds after which the server ends a wait for a lock.
SOON = {"mysql": {"init_command": "SET innodb_lock_wait_timeout = 1"}, "postgres": {"options": "-clock_timeout=1000"}}


@SERVERS
def test_a_deadlock_costs_nobody_the_work(world, settings):
    world.put("orders", "items")
    world.refresh()
    both_have_one = Barrier(2)
    tries = []

    def touch_both(first, second):
        def work(connection):
            tries.append(first)
            connection.execute(TOUCH, {"key": first})
            if len(tries) <= 2:
                both_have_one.wait(60)
            connection.execute(TOUCH, {"key": second})

        with closing(Database(settings)) as database:
            database.write(work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(touch_both, (ORDERS, ITEMS), (ITEMS, ORDERS)))
    # The one that gave way may meet the other once more on its way back.
    assert len(tries) >= 3
    assert [entry.rings for entry in world.ledger.open_entries().values()] == [2, 2]


@SERVERS
@pytest.mark.parametrize("at", ["claim", "commit"])
def test_a_worker_that_meets_a_refresh_waits_for_it_and_is_no_deadlock(world, settings, sql, monkeypatch, at):
    """One comes to the row by its id, the other by its table; both lock it by its primary key alone."""
    world.put("orders")
    world.refresh()
    claim = None if at == "claim" else world.ledger.claim(ORDERS, "worker")
    met, in_the_way = [], transactions._in_the_way
    monkeypatch.setattr(transactions, "_in_the_way", lambda error: met.append(type(error)) or in_the_way(error))

    def work():
        if claim is None:
            return world.ledger.claim(ORDERS, "worker")
        return world.ledger.commit(claim, world.run_of(ORDERS))

    with ThreadPoolExecutor(1) as pool:
        works = []

        def meanwhile(*args):
            works.append(pool.submit(work))
            deadline = monotonic() + 30
            while sql.waiting_for_locks() == 0 and monotonic() < deadline:
                # MariaDB looks anew only when nobody has asked for a tenth of a second.
                sleep(0.15)
            return reconcile(*args)

        monkeypatch.setattr(ledgers, "reconcile", meanwhile)
        world.put("orders", version="2")
        world.refresh()
        assert works[0].result(timeout=120)
    # The worker read before the refresh wrote, and did its work once more.
    assert met == [ConflictError]


@SERVERS
def test_a_lock_that_is_not_given_in_time_is_asked_for_again(world, settings):
    world.put("orders")
    world.refresh()
    mine = dict(settings.extra_params)
    for name, value in SOON[settings.type].items():
        mine[name] = f"{mine[name]} {value}" if name == "options" else value
    tries = []

    def work(connection):
        tries.append(1)
        connection.execute(TOUCH, {"key": ORDERS})

    with closing(Database(settings)) as other, closing(Database(replace(settings, extra_params=mine))) as database:
        with ThreadPoolExecutor(1) as pool, other.transaction(writes=True) as connection:
            connection.execute(TOUCH, {"key": ORDERS})
            waiting = pool.submit(database.write, work)
            deadline = monotonic() + 30
            while len(tries) < 2 and monotonic() < deadline:
                sleep(0.05)
        waiting.result(timeout=120)
    assert len(tries) >= 2
    assert [entry.rings for entry in world.ledger.open_entries().values()] == [2]
