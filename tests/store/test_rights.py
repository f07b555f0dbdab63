from __future__ import annotations

from pathlib import Path

from profilemesh_airflow.store import Store


def test_whether_it_can_be_written_is_tried_on_every_database_and_nothing_changes(world, sql):
    world.settle("orders", "users")
    world.put("orders", version="2")
    world.refresh()
    tables = ("profilemesh_runs", "profilemesh_results", "profilemesh_table_state", "profilemesh_changes")
    before = [sorted(map(str, sql.run(f"SELECT * FROM {table}"))) for table in tables]

    world.store.check_writable()

    assert [sorted(map(str, sql.run(f"SELECT * FROM {table}"))) for table in tables] == before


def test_a_store_that_is_not_there_is_not_made(sqlite_settings):
    with Store(sqlite_settings) as store:
        store.check_writable()

    assert not Path(sqlite_settings.filepath).exists()
