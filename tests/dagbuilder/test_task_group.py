"""Task groups in a DAG of the user's own."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from profilemesh_airflow import create_profiling_task_group
from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import TaskGroup
from profilemesh_airflow.compat.assets import make_asset, outlets
from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.compat.dags import make_dag
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError, UnknownTableError
from tests.capable import needs

START = datetime(2024, 1, 1, tzinfo=timezone.utc)

CONFIG = """
environment: prod
source: {{name: shop, type: postgres, host: db.invalid, database: shop, username: u, password: s3cret-word}}
profiling:
  tables: [{tables}]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yml"

    def write(*tables):
        entries = []
        for table in tables:
            *schema, name = table.split("/")
            entries.append(f"{{schema: {schema[0]}, table: '{name}'}}" if schema else f"{{table: '{name}'}}")
        path.write_text(CONFIG.format(tables=", ".join(entries)))
        return str(path)

    return write


def group(config_path, **arguments):
    """The tasks of a group in a DAG, by id, and the group."""
    with make_dag("mine", schedule=None, start_date=START) as dag:
        made = create_profiling_task_group(group_id="profile", config_path=config_path, **arguments)
    assert isinstance(made, TaskGroup)
    return {task.task_id: task for task in dag.tasks}, made


def test_there_is_one_task_a_table_by_the_name_that_it_had_in_the_earlier_integration(config):
    tasks, made = group(config("public/users", "public/events", "public/a-b.c"))
    assert set(tasks) == {"profile.users", "profile.events", "profile.a_b_c"}
    assert set(made.children) == set(tasks)
    assert (tasks["profile.users"].table, tasks["profile.users"].schema) == ("users", "public")


def test_tables_that_would_meet_have_their_schema_before_them_and_else_a_hash(config):
    tasks, _ = group(config("sales/orders", "hr/orders", "hr/people", "x/a-b", "x/a_b"))
    assert set(tasks) == {
        "profile.sales_orders",
        "profile.hr_orders",
        "profile.people",
        "profile.x_a_b__218e784d",
        "profile.x_a_b__5f0b0d21",
    }


def test_an_id_does_not_depend_on_which_tables_are_chosen(config):
    path = config("sales/orders", "hr/orders", "hr/people")
    assert set(group(path, only=["sales.orders"])[0]) == {"profile.sales_orders"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"only": ["people"]}, {"people"}),
        ({"only": [{"schema": "hr", "table": "*"}]}, {"hr_orders", "people"}),
        ({"exclude": ["hr.*"]}, {"sales_orders"}),
        ({"only": ["*orders"], "exclude": [{"schema": "hr", "table": "orders"}]}, {"sales_orders"}),
    ],
)
def test_only_the_chosen_tables_have_tasks(config, arguments, expected):
    tasks, _ = group(config("sales/orders", "hr/orders", "hr/people"), **arguments)
    assert {task_id.removeprefix("profile.") for task_id in tasks} == expected


def test_a_choice_of_no_table_or_of_one_that_is_not_listed_is_an_error(config):
    path = config("orders")
    with pytest.raises(ConfigError, match="no table is left"):
        group(path, exclude=["*"])
    with pytest.raises(UnknownTableError, match="did you mean orders"):
        group(path, only=["ordres"])


def test_ids_need_not_have_the_group_before_them(config):
    tasks, _ = group(config("orders"), prefix_group_id=False, tooltip="all of them")
    assert set(tasks) == {"orders"}


@needs(DATASETS)
def test_the_users_arguments_reach_every_task_and_outlets_are_added_to_the_tables_own(config):
    mine = make_asset("s3://bucket/report")
    tasks, _ = group(config("orders"), operator_args={"retries": 3, "pool": "warehouse", "outlets": [mine]})
    task = tasks["profile.orders"]
    own = table_asset(Identity("prod", "shop"), "profile", TableRef("orders"))
    assert (task.retries, task.pool) == (3, "warehouse")
    assert [asset.uri for asset in task.outlets] == [asset.uri for asset in [*outlets(own), mine]]


def test_the_group_belongs_to_the_dag_that_is_given(config):
    with make_dag("mine", schedule=None, start_date=START) as dag:
        pass
    create_profiling_task_group("profile", config("orders", "users"), dag)
    assert {task.task_id for task in dag.tasks} == {"profile.orders", "profile.users"}


def test_options_of_the_tasks_are_those_of_the_operator(config):
    tasks, _ = group(config("orders"), changed_only=True, force=True)
    assert (tasks["profile.orders"].changed_only, tasks["profile.orders"].force) == (True, True)


def test_a_mapped_group_selects_the_tables_when_it_runs(config):
    mine = make_asset("s3://bucket/report")
    tasks, _ = group(
        config("orders", "users"), mapped=True, changed_only=True, operator_args={"retries": 3, "outlets": [mine]}
    )
    assert set(tasks) == {"profile.select", "profile.profile"}
    select, profile = tasks["profile.select"], tasks["profile.profile"]
    assert (select.changed_only, select.table_patterns) == (True, None)
    assert type(profile).__name__ == "MappedOperator"
    assert profile.upstream_task_ids == {"profile.select"}
    assert profile.partial_kwargs["changed_only"] is True
    assert profile.partial_kwargs["retries"] == 3
    assert profile.partial_kwargs["outlets"] == [mine]


def test_a_mapped_group_of_some_tables_selects_among_them(config):
    tasks, _ = group(config("sales/orders", "hr/orders"), mapped=True, exclude=["hr.orders"], force=True)
    select = tasks["profile.select"]
    assert (select.table_patterns, select.force, select.changed_only) == (["sales.orders"], True, False)


def test_no_secret_is_in_a_task(config):
    tasks, _ = group(config("orders"))
    assert "s3cret-word" not in repr([vars(task) for task in tasks.values()])
