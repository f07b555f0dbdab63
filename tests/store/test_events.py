"""The event log, in the store and in databases of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.schema import CreateTable

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.exceptions import NotBuiltError, StoreError
from profilemesh_airflow.store import EventStore, Store
from profilemesh_airflow.store.engine import make_engine

IDENTITY = Identity("test", "shop")
DAY = timedelta(days=1)


def test_events_are_kept_in_the_order_in_which_they_came_and_read_newest_first(world):
    log = world.store.events(IDENTITY)
    log.add_all([("a", "t", {"n": 1}), ("b", None, {}), ("a", "u", {"n": 2})])
    log.add("a", "t", {"n": 3})
    assert [(event.table_key, event.payload) for event in log.latest("a", DAY)] == [
        ("t", {"n": 3}),
        ("u", {"n": 2}),
        ("t", {"n": 1}),
    ]


def test_events_of_another_configuration_or_of_long_ago_are_not_read(world, travel):
    world.store.events(Identity("test", "other")).add("a")
    log = world.store.events(IDENTITY)
    log.add("a")
    assert len(log.latest("a", DAY)) == 1
    travel(hours=25)
    assert log.latest("a", DAY) == []


def test_old_events_go_the_oldest_first_and_only_so_many_at_a_time(world, travel):
    log, other = world.store.events(IDENTITY), world.store.events(Identity("test", "other"))
    log.add_all([("a", f"old{number}", {}) for number in range(5)])
    other.add("a", "old")
    travel(hours=25)
    log.add("a", "new")

    assert log.prune(2 * DAY) == 0
    assert log.prune(DAY, most=3) == 3
    assert [event.table_key for event in log.latest("a", 2 * DAY)] == ["new", "old4", "old3"]
    assert (log.prune(DAY), log.prune(DAY)) == (2, 0)
    assert [event.table_key for event in log.latest("a", 2 * DAY)] == ["new"]
    assert [event.table_key for event in other.latest("a", 2 * DAY)] == ["old"]


def test_events_may_be_kept_for_longer_than_there_are_dates(world):
    log = world.store.events(IDENTITY)
    log.add("a")
    assert log.prune(timedelta.max) == 0


def test_of_no_events_nothing_is_written(world):
    log = world.store.events(IDENTITY)
    log.add_all([])
    assert log.latest("a", DAY) == []


def test_looking_for_events_makes_no_store(sqlite_settings):
    with Store(sqlite_settings) as store:
        assert store.peek_events(IDENTITY) is None
    assert not Path(sqlite_settings.filepath).exists()


@pytest.fixture
def own(empty_database):
    """An event log in a database that has no tables."""
    store = EventStore(empty_database, "our_events")
    yield store
    store.close()


def test_the_table_is_made_where_it_is_missing(own, empty_database):
    own.events(IDENTITY).add("a", "t", {"n": 1})
    again = EventStore(empty_database, "our_events")
    again.events(IDENTITY).add("a", "u", {"n": 2})
    assert [event.table_key for event in again.events(IDENTITY).latest("a", DAY)] == ["u", "t"]
    again.close()


def test_several_processes_may_make_it_at_once(empty_database):
    def tell(number):
        store = EventStore(empty_database, "our_events")
        store.events(IDENTITY).add("a", f"t{number}")
        store.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, range(4)))
    store = EventStore(empty_database, "our_events")
    assert {event.table_key for event in store.events(IDENTITY).latest("a", DAY)} == {f"t{n}" for n in range(4)}
    store.close()


def test_a_table_that_may_not_be_made_is_told(tmp_path):
    store = EventStore(ConnectionSettings("sqlite", filepath=str(tmp_path / "no" / "folder.db")), "our_events")
    with pytest.raises(StoreError, match=r"folder\.db"):
        store.events(IDENTITY)


def test_a_schema_of_postgresql_is_where_the_table_is(postgres_database):
    engine = make_engine(postgres_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA told")
    events = EventStore(replace(postgres_database, schema="told"), "our_events")
    events.events(IDENTITY).add("a")
    events.close()
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM told.our_events").scalar_one() == 1
    engine.dispose()


@pytest.mark.parametrize("kind", ["bigquery", "redshift", "duckdb"])
def test_what_cannot_keep_events_is_refused(kind):
    with pytest.raises(NotBuiltError, match=f"type {kind}; use mysql, postgres, snowflake, sqlite"):
        EventStore(ConnectionSettings(kind, database="d", filepath="f"), "our_events")


def test_snowflake_would_be_sent_a_table_that_counts_by_itself_without_an_index():
    pytest.importorskip("snowflake.sqlalchemy")
    settings = ConnectionSettings("snowflake", account="acme", username="u", database="d", schema="s")
    store = EventStore(settings, "our_events")
    statement = " ".join(str(CreateTable(store._events).compile(dialect=registry.load("snowflake")())).split())
    assert statement == (
        "CREATE TABLE s.our_events ( event_id BIGINT NOT NULL AUTOINCREMENT, environment VARCHAR(63) NOT NULL, "
        "source_name VARCHAR(63) NOT NULL, table_key VARCHAR(250), event_type VARCHAR(100) NOT NULL, "
        "occurred_at TIMESTAMP_TZ NOT NULL, payload TEXT NOT NULL, "
        "CONSTRAINT our_events_pkey PRIMARY KEY (event_id) )"
    )
    assert not store._events.indexes
