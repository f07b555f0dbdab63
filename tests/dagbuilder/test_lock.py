"""DAG files of a configuration with patterns read its lock, and never the database."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from profilemesh_airflow import build_plan_refresh_dag, build_profiling_dags
from profilemesh_airflow.cli import main
from profilemesh_airflow.compat.capabilities import ALIAS, DATASETS
from profilemesh_airflow.exceptions import ConfigError
from tests.capable import needs

pytestmark = needs(DATASETS)

CONFIG = """
environment: {environment}
source: {{name: shop, type: sqlite, filepath: {folder}/shop.db}}
storage: {{connection: {{type: sqlite, filepath: {folder}/store.db}}}}
profiling:
  tables:
    - {{table: listed}}
    - {{table: "{pattern}"}}
"""


@pytest.fixture
def lake(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        for name in ("a1", "a2", "b1"):
            connection.execute(f"CREATE TABLE {name} (id INTEGER)")
    write(tmp_path)
    return tmp_path


def write(folder, environment="prod", pattern="a*", rest=""):
    text = CONFIG.format(folder=folder, environment=environment, pattern=pattern)
    (folder / "config.yml").write_text(text + rest)


def lock(folder, *options):
    main(["plan", "-c", str(folder / "config.yml"), "--lock", *options], standalone_mode=False)


def tables(folder, **kwargs):
    return [dag_id.rpartition(".")[2] for dag_id in build_profiling_dags(folder / "config.yml", **kwargs)]


def declared(dag):
    """The change assets that a refresh may publish events of."""
    tasks = ["declare_lineage"] if ALIAS.available else dag.get_task("detect_and_record").ring_tasks.values()
    return [asset for task_id in tasks for asset in dag.get_task(task_id).outlets]


def test_the_tables_are_those_of_the_lock_and_no_database_is_opened(lake, monkeypatch):
    lock(lake)
    (lake / "shop.db").unlink()
    monkeypatch.setattr("sqlalchemy.create_engine", None)

    assert tables(lake) == ["listed", "a1", "a2"]
    refresh = build_plan_refresh_dag(lake / "config.yml")
    assert len(declared(refresh)) == 3


def test_a_missing_lock_is_an_error_that_names_the_command(lake):
    with pytest.raises(ConfigError) as caught:
        tables(lake)

    assert str(caught.value) == (
        f"{lake}/config.lock.json: there is no such file. {lake}/config.yml selects tables by pattern, and a DAG file "
        "must not ask the database which they are: run "
        f"`profilemesh-airflow plan --lock {lake}/config.lock.json -c {lake}/config.yml`, "
        "and deploy the file beside the configuration"
    )


def test_a_lock_of_another_selection_is_stale(lake):
    lock(lake)
    write(lake, pattern="b*")

    with pytest.raises(ConfigError, match=r"config\.lock\.json: is stale, .* run `profilemesh-airflow plan --lock"):
        tables(lake)

    lock(lake)
    assert tables(lake) == ["listed", "b1"]


def test_what_only_changes_how_tables_are_profiled_makes_no_lock_stale(lake):
    lock(lake)
    write(lake, rest="  metrics: [count]\n  timeout: 1h\nairflow: {max_attempts: 2} # more\n")

    assert tables(lake) == ["listed", "a1", "a2"]


def test_a_lock_of_another_environment_is_refused_and_another_file_may_be_given(lake):
    lock(lake)
    write(lake, environment="staging")
    with pytest.raises(ConfigError, match="was made for environment prod, source shop; the configuration is for stag"):
        tables(lake)

    lock(lake, str(lake / "staging.json"))
    assert tables(lake, lock=lake / "staging.json") == ["listed", "a1", "a2"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1, "tables": [7]}', '{"format": 2}', "\xff"])
def test_a_damaged_lock_is_an_error_that_names_the_command(lake, text):
    (lake / "config.lock.json").write_text(text, encoding="latin-1")

    with pytest.raises(ConfigError, match=r"(no lock file|format 2).*`profilemesh-airflow plan --lock"):
        tables(lake)


def test_the_refresh_works_without_a_good_lock(lake, caplog):
    dag = build_plan_refresh_dag(lake / "config.yml")

    assert [asset.extra["table_key"] for asset in declared(dag)] == ["listed"]
    assert "plan --lock" in caplog.text


def test_without_patterns_no_lock_is_read(lake):
    write(lake, pattern="other")
    (lake / "config.lock.json").write_text("damaged")

    assert tables(lake) == ["listed", "other"]
