"""Several connections, one moment."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.warehouse import Warehouse, connect
from profilemesh_airflow.warehouse.dialects import DIALECTS, sqlite as sqlite_dialect
from profilemesh_airflow.warehouse.lanes import Lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tests.warehouse.databases import Database

FOREVER = {
    "duckdb": "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range % 5",
    "postgres": "SELECT pg_sleep(60)",
    "mysql": "SELECT count(*) FROM information_schema.columns a, information_schema.columns b, "
    "information_schema.columns c WHERE length(a.column_name) + length(b.column_name) + length(c.column_name) > 1000",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12) SELECT count(*) FROM n",
}


@pytest.fixture
def open_lanes(database: Database) -> Iterator[Callable[[int], Lanes]]:
    engine = connect(database.settings)
    yield lambda count: Lanes(engine, DIALECTS[database.kind], database.settings, count)
    engine.dispose()


def count_rows(lane: Any, table: str) -> int:
    return int(lane.run(sa.text(f"SELECT count(*) FROM {table}"))[0][0])


def qualified(database: Database, table: str) -> str:
    return f"{database.settings.schema}.{table}" if database.settings.schema else table


def test_all_lanes_see_the_moment_of_the_first(database: Database, open_lanes: Callable[[int], Lanes]) -> None:
    if database.kind == "duckdb":
        pytest.skip("nobody can write to the file meanwhile")
    if database.kind == "sqlite":
        database.run("PRAGMA journal_mode = WAL")
    database.create("t", {"a": "integer"}, [(1,)])
    with open_lanes(2) as lanes:
        assert len(lanes) == (1 if database.kind == "mysql" else 2)
        database.insert("t", [(2,)])
        seen = [lanes.submit(count_rows, qualified(database, "t")).result() for _ in range(4)]
    assert seen == [1, 1, 1, 1]


@pytest.mark.parametrize(("commits", "lanes"), [(0, 2), (1, 2), (99, 1)])
def test_sqlite_lanes_that_began_at_different_moments_are_not_used(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, commits: int, lanes: int
) -> None:
    """Another program commits between the beginnings of the two transactions, so often."""
    sqlite.run("PRAGMA journal_mode = WAL")
    sqlite.create("t", {"a": "integer"}, [(1,)])
    real, left = sqlite_dialect._data_version, commits

    def disturbed(connection: Any) -> int:
        nonlocal left
        version = real(connection)
        if left:
            left -= 1
            sqlite.insert("t", [(2,)])
        return version

    monkeypatch.setattr(sqlite_dialect, "_data_version", disturbed)
    engine = connect(sqlite.settings)
    with Lanes(engine, DIALECTS["sqlite"], sqlite.settings, 2) as opened:
        assert len(opened) == lanes


def test_an_interruption_stops_what_is_running(database: Database, open_lanes: Callable[[int], Lanes]) -> None:
    works: list[Future[Any]] = []

    def interrupted() -> None:
        with open_lanes(2) as lanes:
            works.extend(lanes.submit(lambda lane: lane.run(sa.text(FOREVER[database.kind]))) for _ in range(3))
            while not all(work.running() for work in works[: len(lanes)]):
                sleep(0.001)
            raise KeyboardInterrupt

    started = monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert monotonic() - started < 40
    assert works[2].cancelled() or isinstance(works[2].exception(), CancelledError)
    assert all(work.cancelled() or work.exception() is not None for work in works[:2])


def test_profiling_goes_on_with_one_connection_where_no_second_is_granted(postgres: Database) -> None:
    postgres.create("t", {"a": "integer"}, [(1,), (2,)])
    role = f"role_{postgres.settings.schema}"
    postgres.run(
        f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1",
        f"GRANT USAGE ON SCHEMA {postgres.settings.schema} TO {role}",
        f"GRANT SELECT ON t TO {role}",
    )
    try:
        with Warehouse(replace(postgres.settings, username=role)) as warehouse:
            profile = warehouse.profile(postgres.info("t"), TableSettings())
    finally:
        postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert profile.columns[0].metrics["mean"] == 1.5
