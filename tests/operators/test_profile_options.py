"""Which tables an operator profiles: patterns, what changed, what is forced, one mapped over keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from profilemesh_airflow import ProfileMeshProfilingOperator, ProfileMeshSelectOperator, ProfileMeshTableOperator
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.exceptions import ConfigError, ProfileError, UnknownTableError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from tests.operators.tasks import Context, profile, profile_all, refresh


def tables(summary):
    return sorted(result["metadata"]["table_key"] for result in summary["results"])


def select(shop, **arguments):
    return ProfileMeshSelectOperator(task_id="select", config_path=shop.config, **arguments).execute(Context())


@pytest.fixture
def schemas(shop):
    """The same table in two schemas of two attached databases, as SQLite has them, and one in the main one."""
    text = Path(shop.config).read_text()
    entries = "{schema: main, table: orders}, {schema: main, table: customers}, {schema: main, table: old_orders}"
    shop.run("CREATE TABLE old_orders (id INTEGER)")
    Path(shop.config).write_text(text.replace("{table: orders}, {table: customers}", entries))
    return shop


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([{"schema": "main", "table": "*"}], ["main.customers", "main.old_orders", "main.orders"]),
        ([{"table": "*orders"}], ["main.old_orders", "main.orders"]),
        ([{"table": "orders"}], ["main.orders"]),
        (["main.c*"], ["main.customers"]),
        (["orders", {"schema": "m?in", "table": "customers"}], ["main.customers", "main.orders"]),
        (None, ["main.customers", "main.old_orders", "main.orders"]),
    ],
)
def test_patterns_name_tables_with_and_without_wildcards(schemas, patterns, expected):
    assert tables(profile_all(schemas, table_patterns=patterns)) == expected


@pytest.mark.parametrize("pattern", [{"schema": "hr", "table": "*"}, {"table": "nowhere"}, {"schema": "main"}, "x*"])
def test_a_pattern_that_means_no_table_is_an_error(schemas, pattern):
    with pytest.raises(UnknownTableError):
        profile_all(schemas, table_patterns=[pattern])


@pytest.mark.parametrize("operator", [ProfileMeshProfilingOperator, ProfileMeshSelectOperator])
def test_a_misspelled_key_of_a_pattern_is_told_when_the_operator_is_made(operator):
    with pytest.raises(
        ConfigError, match=r"^task p: table_patterns: .* unknown key 'tabel'; known are database, .*table"
    ):
        operator(task_id="p", config_path="c.yml", table_patterns=["orders", {"tabel": "x"}])
    for templated in ("{{ params.tables }}", [{"table": "{{ params.table }}"}]):
        assert operator(task_id="p", config_path="c.yml", table_patterns=templated).table_patterns == templated


def test_an_empty_list_of_patterns_means_no_table_and_not_all_of_them(shop):
    with pytest.raises(AirflowSkipException, match="empty list"):
        profile_all(shop, table_patterns=[])


def test_the_options_of_a_named_table_hold(shop):
    """The earlier integration dropped partition and sampling of a table that was named."""
    shop.run("INSERT INTO orders SELECT value, value FROM json_each('[3,4,5,6,7,8,9]')")
    options = "{table: orders, metrics: [count], partition: {key: id, strategy: specific_values, values: [1, 3]}}"
    Path(shop.config).write_text(Path(shop.config).read_text().replace("{table: orders}", options))

    (result,) = profile_all(shop, table_patterns=[{"table": "orders"}])["results"]
    assert (result["row_count"], result["metadata"]["rows_of"]) == (2, "partitions")
    assert profile(shop, "orders")["row_count"] == 2


def test_just_what_changed_is_profiled_and_without_a_change_the_task_is_skipped(shop):
    assert tables(profile_all(shop, changed_only=True)) == ["customers", "orders"]
    with pytest.raises(AirflowSkipException, match="nothing is to be profiled"):
        profile_all(shop, changed_only=True)
    shop.run("INSERT INTO customers VALUES ('bob')")
    assert tables(profile_all(shop, changed_only=True)) == ["customers"]


def test_what_failed_is_tried_again_until_it_is_parked_and_then_only_by_force(shop):
    Path(shop.config).write_text(Path(shop.config).read_text() + "airflow: {max_attempts: 1}\n")
    shop.run("DROP TABLE orders")
    assert profile_all(shop, changed_only=True, on_failure="continue")["tables_failed"] == 1
    with pytest.raises(AirflowSkipException):
        profile_all(shop, changed_only=True)
    with pytest.raises(ProfileError, match="1 of 2 tables"):
        profile_all(shop, changed_only=True, force=True)


def test_a_run_that_is_started_with_force_profiles_every_table(shop):
    profile_all(shop)
    forced = profile_all(shop, Context({"force": True}), changed_only=True)
    assert [result["metadata"]["reasons"] for result in forced["results"]] == [["forced"], ["forced"]]


def test_force_profiles_one_table_that_did_not_change(shop):
    profile(shop, "orders")
    assert profile(shop, "orders", changed_only=True, force=True)["metadata"]["reasons"] == ["forced"]


def test_a_budget_leaves_the_rest_to_the_next_time(shop):
    Path(shop.config).write_text(Path(shop.config).read_text() + "airflow: {budget: {tables: 1}}\n")
    assert [tables(profile_all(shop, changed_only=True)) for _ in range(2)] == [["customers"], ["orders"]]


def test_what_another_worker_is_at_is_left_to_it(shop):
    refresh(shop)
    with ProfileMeshHook(shop.config).workspace() as workspace:
        for table in ("orders", "customers"):
            workspace.ledger.claim(table, "somebody else")
    with pytest.raises(AirflowSkipException, match="nothing is to be profiled"):
        profile_all(shop, changed_only=True)
    with pytest.raises(AirflowSkipException, match="orders: somebody else is at it"):
        profile_all(shop)


def test_a_configuration_that_means_no_table_is_an_error_and_no_green_task(shop):
    text = Path(shop.config).read_text()
    Path(shop.config).write_text(text.replace("{table: orders}, {table: customers}", '{table: "nothing_*"}'))
    with pytest.raises(ValueError, match="no profiling results") as caught:
        profile_all(shop)
    assert isinstance(caught.value, ConfigError)


def test_selecting_returns_keys_that_tasks_can_be_mapped_over(shop):
    assert select(shop) == ["orders", "customers"]
    profile(shop, "orders", changed_only=True)
    assert select(shop) == ["customers"], "what is recorded and not profiled is to be profiled still"
    assert select(shop, table_patterns=["orders"]) == []
    assert select(shop, table_patterns=[]) == []
    assert select(shop, changed_only=False) == ["orders", "customers"]


def test_a_retried_selection_selects_the_same_and_forces_nothing_twice(shop):
    profile_all(shop)
    assert select(shop, changed_only=False) == select(shop, changed_only=False) == ["orders", "customers"]
    with ProfileMeshHook(shop.config).workspace() as workspace:
        assert {entry.target_revision for entry in workspace.ledger.open_entries().values()} == {1}


def test_a_table_is_found_by_its_whole_key(schemas):
    assert profile(schemas, "main.orders")["metadata"]["table_key"] == "main.orders"
    assert profile(schemas, "customers")["metadata"]["table_key"] == "main.customers"
    with pytest.raises(UnknownTableError, match=r"hr\.orders"):
        profile(schemas, "orders", schema="hr")


def test_the_operator_can_be_mapped_over_tables():
    mapped = ProfileMeshTableOperator.partial(task_id="profile", config_path="c.yml", changed_only=True)
    assert type(mapped.expand(table=["orders", "customers"])).__name__ == "MappedOperator"
