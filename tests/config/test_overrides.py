from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.config import LoadedConfig


def value_at(model: Any, path: str) -> Any:
    for step in path.split("."):
        model = model[int(step)] if step.isdigit() else model[step] if isinstance(model, dict) else getattr(model, step)
    return model


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("PROFILEMESH_SOURCE__HOST", "db1", "source.host", "db1"),
        ("profilemesh_source__host", "db1", "source.host", "db1"),
        ("PROFILEMESH_SOURCE__PORT", "6543", "source.port", 6543),
        ("PROFILEMESH_SOURCE__SCHEMA", "2024", "source.schema_", "2024"),
        ("PROFILEMESH_SOURCE__HOST", "${NOT_EXPANDED}", "source.host", "${NOT_EXPANDED}"),
        ("PROFILEMESH_SOURCE__PORT", "", "source.port", None),
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS__SSLMODE", "require", "source.extra_params.sslMode", "require"),
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS__NEW", "0123", "source.extra_params.new", "0123"),
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS__A__B", "x", "source.extra_params.a.b", "x"),
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS__HOSTS__1", "x", "source.extra_params.hosts.1", "x"),
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS", "{timeout: 10}", "source.extra_params.timeout", 10),
        ("PROFILEMESH_ENVIRONMENT", "prod", "environment", "prod"),
        ("PROFILEMESH_PROFILING__TABLES__0__SCHEMA", "hr", "profiling.tables.0.schema_", "hr"),
        ("PROFILEMESH_PROFILING__TABLES__1__TABLE", "new", "profiling.tables.1.table", "new"),
        ("PROFILEMESH_PROFILING__TABLES", "[{table: only}]", "profiling.tables.0.table", "only"),
        ("PROFILEMESH_PROFILING__METRICS", "[min, count]", "profiling.metrics", ("count", "min")),
        ("PROFILEMESH_PROFILING__TABLES__0__METRICS__0", "max", "profiling.tables.0.metrics", ("max",)),
        ("PROFILEMESH_PROFILING__COMPUTE_HISTOGRAMS", "no", "profiling.compute_histograms", False),
        ("PROFILEMESH_EXECUTION__WAREHOUSE_LIMITS__POSTGRES", "4", "execution.warehouse_limits.postgres", 4),
        ("PROFILEMESH_AIRFLOW__BUDGET__TABLES", "20", "airflow.budget.tables", 20),
        ("PROFILEMESH_AIRFLOW__BUDGET", "{tables: 20}", "airflow.budget.tables", 20),
        (
            "PROFILEMESH_INCREMENTAL__COST_CONTROLS__SAMPLE_FRACTION",
            "0.5",
            "incremental.cost_controls.sample_fraction",
            0.5,
        ),
        ("PROFILEMESH_HOOKS__HOOKS__0__TYPE", "logging", "hooks.hooks.0.type", "logging"),
    ],
)
def test_an_override_replaces_one_value(
    load: Callable[..., LoadedConfig], variable: str, text: str, path: str, value: object
) -> None:
    file = """\
source: {type: postgres, database: shop, host: old, port: 1, extra_params: {sslMode: old, hosts: [a, b]}}
profiling: {tables: [{schema: sales, table: orders}]}
"""
    loaded = load(file, {variable: text})
    assert value_at(loaded.model, path) == value
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    "variable",
    [
        "PROFILEMESH_TEST_DATABASE",
        "PROFILEMESH_REQUIRE_SERVICES",
        "PROFILEMESH_CONFIG",
        "PROFILEMESH_SOURCE",
        "PROFILEMESH_LLM",
        "PROFILEMESH_",
        "MY_PROFILEMESH_SOURCE__HOST",
        "PROFILEMESHSOURCE__HOST",
    ],
)
def test_variables_that_only_share_the_prefix_are_ignored(load: Callable[..., LoadedConfig], variable: str) -> None:
    assert load(environ={variable: "x"}) == load()


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("PROFILEMESH_SOURCE__HOTS", "source.hots: unknown key, ignored; did you mean 'host'?"),
        ("PROFILEMESH_SOURSE__HOST", "sourse: unknown key, ignored; did you mean 'source'?"),
        ("PROFILEMESH_LLM__API_KEY", "llm: section 'llm' is not supported here and is ignored"),
        ("PROFILEMESH_SOURCE__HOST__NAME", "source.host.name: has no keys below it, ignored"),
        (
            "PROFILEMESH_PROFILING__TABLES__0__PARTITON__KEY",
            "profiling.tables[0].partiton: unknown key, ignored; did you mean 'partition'?",
        ),
    ],
)
def test_an_override_of_an_unknown_key_is_a_warning_that_names_the_variable(
    load: Callable[..., LoadedConfig], variable: str, message: str
) -> None:
    loaded = load(environ={variable: "x"})
    assert loaded.warnings == (f"{variable}: {message}",)
    assert loaded.model == load().model


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("PROFILEMESH_SOURCE__PORT", "abc", "source.port: 'abc' is not a whole number"),
        (
            "PROFILEMESH_SOURCE__TYPE",
            "postgers",
            "source.type: 'postgers' is not allowed; use one of postgres, snowflake, sqlite, mysql, bigquery, "
            "redshift, duckdb (did you mean 'postgres'?)",
        ),
        (
            "PROFILEMESH_PROFILING__METRICS",
            "[count",
            "profiling.metrics: is not a list or a mapping as YAML writes it, such as [a, b]",
        ),
        (
            "PROFILEMESH_SOURCE__EXTRA_PARAMS",
            "{a",
            "source.extra_params: is not a list or a mapping as YAML writes it, such as {a: 1, b: 2}",
        ),
        (
            "PROFILEMESH_PROFILING__TABLES__3__TABLE",
            "x",
            "profiling.tables[3]: is beyond the end of the list; the next free position is 1",
        ),
        (
            "PROFILEMESH_PROFILING__TABLES__FIRST__TABLE",
            "x",
            "profiling.tables.first: is in a list; give the position of an entry, counted from 0",
        ),
        (
            "PROFILEMESH_PROFILING__TABLES",
            "[{table: t, sample_ratio: 7}]",
            "profiling.tables[0].sample_ratio: 7 is not allowed; it must be at most 1",
        ),
        (
            "PROFILEMESH_PROFILING__TABLES",
            "",
            "profiling.tables: lists no table; list the tables by name or by pattern",
        ),
        ("PROFILEMESH_SOURCE__PASSWORD__X", "y", None),
    ],
)
def test_an_override_that_is_wrong_names_the_variable_instead_of_a_line(
    load: Callable[..., LoadedConfig], errors: Callable[..., list[str]], variable: str, text: str, message: str | None
) -> None:
    if message is None:
        assert load(environ={variable: text}).warnings == (
            f"{variable}: source.password.x: has no keys below it, ignored",
        )
    else:
        assert errors(environ={variable: text}) == [f"{variable}: {message}"]


def test_errors_of_the_file_come_before_those_of_the_environment(
    errors: Callable[..., list[str]], smallest: str
) -> None:
    found = errors(
        smallest + "  histogram_bins: 0\n", {"PROFILEMESH_SOURCE__PORT": "x", "PROFILEMESH_MONITORING__PORT": "y"}
    )
    assert [line.split(":")[0] for line in found] == [
        "c.yml",
        "PROFILEMESH_SOURCE__PORT",
        "PROFILEMESH_MONITORING__PORT",
    ]


def test_an_override_spares_the_file_an_unset_variable(load: Callable[..., LoadedConfig], smallest: str) -> None:
    text = smallest.replace("database: shop", "password: '${PW}'")
    password = load(text, {"PROFILEMESH_SOURCE__PASSWORD": "pa${PW}"}).model.source.password
    assert password is not None
    assert password.get_secret_value() == "pa${PW}"


def test_a_file_that_has_something_else_there_is_an_error(errors: Callable[..., list[str]]) -> None:
    text = "source: {type: postgres, extra_params: none}\nprofiling: {tables: all}\n"
    environ = {"PROFILEMESH_SOURCE__EXTRA_PARAMS__A": "1", "PROFILEMESH_PROFILING__TABLES__0__TABLE": "x"}
    assert errors(text, environ) == [
        "c.yml:1: source.extra_params: the value (not shown) is not allowed; "
        "write a mapping, with one 'key: value' line an entry",
        "c.yml:2: profiling.tables: 'all' is not allowed; write a list, as [a, b] or with one '- ' line an entry",
        "PROFILEMESH_SOURCE__EXTRA_PARAMS__A: source.extra_params.a: cannot be set, since the file has no mapping here",
        "PROFILEMESH_PROFILING__TABLES__0__TABLE: profiling.tables[0]: cannot be set, since the file has no list here",
    ]


def test_a_whole_list_may_be_given_and_then_changed_whatever_the_order_of_the_variables(
    load: Callable[..., LoadedConfig],
) -> None:
    environ = {
        **{f"PROFILEMESH_PROFILING__TABLES__{index}__TABLE": f"t{index}" for index in reversed(range(1, 12))},
        "PROFILEMESH_PROFILING__TABLES": "[{table: first}]",
    }
    model = load(environ=environ).model
    assert [table.table for table in model.profiling.tables] == ["first", *(f"t{index}" for index in range(1, 12))]


def test_an_override_of_one_place_leaves_an_alias_of_it_alone(load: Callable[..., LoadedConfig]) -> None:
    text = """\
source: &db {type: postgres, host: one, extra_params: {a: b}}
storage: {connection: *db}
profiling: {tables: [{table: t}]}
"""
    model = load(text, {"PROFILEMESH_SOURCE__HOST": "two", "PROFILEMESH_SOURCE__EXTRA_PARAMS__A": "c"}).model
    assert (model.source.host, model.storage.connection.host) == ("two", "one")
    assert (model.source.extra_params, model.storage.connection.extra_params) == ({"a": "c"}, {"a": "b"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "host": st.text(min_size=1, max_size=8),
            "username": st.text(min_size=1, max_size=8),
            "role": st.text(alphabet="0123456789_.:-${}", min_size=1, max_size=8),
            "port": st.integers(1, 65535),
        },
    )
)
def test_what_is_overridden_reads_back_as_it_was_given(
    load: Callable[..., LoadedConfig], values: dict[str, str | int]
) -> None:
    environ = {f"PROFILEMESH_SOURCE__{key.upper()}": str(value) for key, value in values.items()}
    source = load(environ=environ).model.source
    assert {key: getattr(source, key) for key in values} == values
