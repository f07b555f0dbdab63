"""What the server is at, and waiting until it is not."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

RUNNING = "SELECT query FROM pg_stat_activity WHERE application_name = 'profilemesh-airflow' AND state = 'active'"


def running(postgres: Database) -> list[Any]:
    """Our statements that the server is at, in this database."""
    return postgres.ask(f"{RUNNING} AND datname = current_database()")


def sleeping(postgres: Database) -> list[Any]:
    """Those of them that read the slow view, and not the catalog before it."""
    return postgres.ask(f"{RUNNING} AND datname = current_database() AND wait_event = 'PgSleep'")


def until(condition: Any, seconds: float) -> bool:
    """Whether it came true in time."""
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            return False
        sleep(0.05)
    return True
