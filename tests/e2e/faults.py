"""Getting in Airflow's way at a chosen moment, and what can be seen of a table then."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
from sqlalchemy import text

from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.workspace import Workspace
from tests.e2e.shop import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Engine

    from tests.e2e.shop import Shop


@contextmanager
def holding(engine: Engine, statement: str) -> Iterator[Connection]:
    """A transaction that keeps the locks it takes until the block is left."""
    with engine.begin() as connection:
        connection.execute(text(statement))
        yield connection


def held_up(engine: Engine, table: str) -> int:
    """How many sessions wait for somebody's lock on a table."""
    return rows(
        engine,
        f"""
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE NOT granted AND datname = current_database() AND relation = CAST('{table}' AS regclass)
        """,
    )[0][0]


@contextmanager
def busy_profile(shop: Shop, key: str) -> Iterator[Connection]:
    """A changed table's profile runs, and waits for its rows, until the block is left; the transaction it waits for."""
    add_row(shop, key)
    with holding(shop.source, f"LOCK TABLE {key} IN ACCESS EXCLUSIVE MODE") as connection:
        shop.refresh_alone()
        shop.until(lambda: held_up(shop.source, key), f"the profile of {key} waits for the rows")
        assert change_of(shop, key).state == "claimed"
        yield connection


@contextmanager
def rung_without_a_run(shop: Shop, key: str) -> Iterator[None]:
    """A changed table is rung, and the scheduler makes no run of it before the block is left."""
    add_row(shop, key)
    # The scheduler passes over a DAG whose row somebody else has locked.
    with holding(shop.metadata, f"SELECT 1 FROM dag WHERE dag_id = '{shop.table_dags()[key]}' FOR NO KEY UPDATE"):
        shop.refresh_alone()
        assert (change_of(shop, key).rings, queued(shop, key), shop.new_runs()) == (1, 1, [])
        yield


def kill_task(shop: Shop, pid: int) -> None:
    """End the process of a task and the one that watches over it at once, as where memory runs out."""
    task = psutil.Process(pid)
    supervisor = task.parent()
    assert supervisor is not None
    assert {task, supervisor} <= {member for session in shop.airflow.sessions() for member in session.members()}
    assert "LocalExecutor" in " ".join(supervisor.cmdline()), supervisor.cmdline()
    for process in (supervisor, task):
        process.kill()
    shop.until(lambda: not (task.is_running() or supervisor.is_running()), "both processes are gone")


def add_row(shop: Shop, key: str) -> None:
    shop.sql(f"INSERT INTO {key} SELECT count(*) + 1 FROM {key}")


def pause(shop: Shop, key: str, *, paused: bool) -> None:
    """Pause a table's DAG, or unpause it."""
    shop.api.call("PATCH", f"/api/v2/dags/{shop.table_dags()[key]}", json={"is_paused": paused})


def publish(shop: Shop, key: str) -> None:
    """Ring a table's doorbell as anybody may."""
    (asset,) = (asset for asset in shop.api.assets() if asset["uri"] == _asset_of(key))
    shop.api.call("POST", "/api/v2/assets/events", json={"asset_id": asset["id"]})


def events_of(shop: Shop, key: str) -> int:
    """How many rings of a table's doorbell Airflow knows."""
    query = "SELECT count(*) FROM asset_event JOIN asset ON asset.id = asset_event.asset_id WHERE uri = '{}'"
    return rows(shop.metadata, query.format(_asset_of(key)))[0][0]


def queued(shop: Shop, key: str) -> int:
    """How many of them wait to become a run."""
    return shop.api.waiting_events(shop.table_dags()[key])


def change_of(shop: Shop, key: str) -> Any:
    """The latest change of a table, as the store has it."""
    return shop.stored(f"SELECT * FROM profilemesh_changes WHERE table_key = '{key}' ORDER BY detected_at DESC")[0]


def wait_until_due(shop: Shop, key: str) -> None:
    """Wait until the next refresh may ring for a table again."""
    _wait_for_change(shop, key, "state = 'open' AND next_ring_at <= now()", "is due to be rung again")


def wait_for_lease(shop: Shop, key: str) -> None:
    """Wait until the lease on a claimed change has run out, and nobody has noticed yet."""
    _wait_for_change(shop, key, "state = 'claimed' AND lease_until <= now()", "has a claim whose lease is over")


def check_final(shop: Shop, key: str) -> None:
    """Check that every table is profiled as it is now, and that nothing is left to do."""
    with Workspace(load_config(shop.config)) as workspace:
        assert workspace.ledger.open_entries() == {}
        found = detect(workspace).diff
        assert (found.changes, found.removed) == ((), ())
    profiled = f"SELECT row_count FROM profilemesh_runs WHERE table_key = '{key}' ORDER BY profiled_at DESC"
    assert shop.stored(profiled)[:1] == rows(shop.source, f"SELECT count(*) FROM {key}")


def _wait_for_change(shop: Shop, key: str, condition: str, what: str) -> None:
    query = f"SELECT 1 FROM profilemesh_changes WHERE table_key = '{key}' AND {condition}"
    shop.until(lambda: shop.stored(query), f"{key} {what}")


def _asset_of(key: str) -> str:
    return f"profilemesh://e2e/shop/change/{key.replace('.', '/')}"
