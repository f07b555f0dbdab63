from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from profilemesh_airflow.config import METRICS
from profilemesh_airflow.config.tables import TableConfig
from profilemesh_airflow.core.table import TableRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.config import LoadedConfig

SOURCE = "source: {type: postgres}\n"


def listing(*entries: str) -> str:
    lines = "".join(f"    - {entry}\n" for entry in entries)
    return f"{SOURCE}profiling:\n  tables:\n{lines}"


def test_an_entry_names_its_table_in_exact_case(load: Callable[..., LoadedConfig]) -> None:
    text = listing("{database: D, schema: S, table: a.b}", "{table: ' x% '}", "{schema: '', table: T}", "{table: 2024}")
    assert [table.ref for table in load(text).model.profiling.tables] == [
        TableRef("a.b", "S", "D"),
        TableRef(" x% "),
        TableRef("T"),
        TableRef("2024"),
    ]


def test_names_that_differ_in_one_part_or_in_case_are_different_tables(load: Callable[..., LoadedConfig]) -> None:
    text = listing(
        "{table: t}", "{table: T}", "{schema: t, table: t}", "{schema: T, table: t}", "{database: d, table: t}"
    )
    assert len(load(text).model.profiling.tables) == 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{table: t}", "{schema: '', table: t, metrics: [min]}"),
        ("{schema: 7, table: t}", "{table: t, schema: '7'}"),
        ("{database: d, schema: s, table: t}", "{schema: s, table: t, database: d}"),
    ],
)
def test_a_table_that_is_listed_twice_is_an_error_with_both_lines(
    errors: Callable[..., list[str]], first: str, second: str
) -> None:
    (error,) = errors(listing(first, "{table: other}", second))
    assert error.startswith("c.yml:6: profiling.tables[2]: table '")
    assert error.endswith("' is listed a second time, first on line 4; list each table once")


def test_the_same_table_twice_is_found_in_json_too(errors: Callable[..., list[str]]) -> None:
    text = '{"source": {"type": "postgres"},\n"profiling": {"tables": [\n{"table": "t"},\n\t{"table": "t"}]}}'
    assert errors(text, name="c.json") == [
        "c.json:4: profiling.tables[1]: table 't' is listed a second time, first on line 3; list each table once"
    ]


@pytest.mark.parametrize(
    ("profiling", "message"),
    [
        ("", "profiling.tables: lists no table; list the tables by name or by pattern"),
        ("profiling: {}\n", "profiling.tables: lists no table; list the tables by name or by pattern"),
        ("profiling: {tables: []}\n", "profiling.tables: lists no table; list the tables by name or by pattern"),
        ("profiling: {tables: }\n", "profiling.tables: lists no table; list the tables by name or by pattern"),
        (
            "profiling: {tables: [{dbt_ref: orders}, {dbt_selector: a}]}\n",
            "profiling.tables: lists no table, but for 2 that cannot be used here; "
            "list the tables by name or by pattern",
        ),
        (
            "profiling: {tables: sales.orders}\n",
            "profiling.tables: 'sales.orders' is not allowed; write a list, as [a, b] or with one '- ' line an entry",
        ),
        (
            "profiling: {tables: {a: {table: t}}}\n",
            "profiling.tables: a mapping is not allowed; write a list, as [a, b] or with one '- ' line an entry",
        ),
        (
            "profiling: [a]\n",
            "profiling: a list is not allowed; write a mapping, with one 'key: value' line an entry",
        ),
    ],
)
def test_a_configuration_without_tables_is_an_error(
    errors: Callable[..., list[str]], profiling: str, message: str
) -> None:
    line = 2 if profiling else 1
    assert errors(SOURCE + profiling) == [f"c.yml:{line}: {message}"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "sales.orders",
            "profiling.tables[0]: 'sales.orders' is text where an entry is expected; "
            "write {schema: sales, table: orders}",
        ),
        ("orders", "profiling.tables[0]: 'orders' is text where an entry is expected; write {table: orders}"),
        (
            "7",
            "profiling.tables[0]: 7 is not allowed; write a mapping, with one 'key: value' line an entry",
        ),
        (
            "",
            "profiling.tables[0]: null is not allowed; write a mapping, with one 'key: value' line an entry",
        ),
        (
            "{schema: s}",
            "profiling.tables[0]: table is missing; "
            "name a table, or select several with pattern, select_schema or select_all_schemas",
        ),
        ("{table: ''}", "profiling.tables[0].table: '' is empty; give a name"),
        (
            "{table: ' '}",
            "profiling.tables[0].table: ' ' is not the name of a table",
        ),
        (
            "{table: t, partition: {strategy: newest}}",
            "profiling.tables[0].partition.strategy: 'newest' is not allowed; "
            "use one of latest, recent_n, sample, all, specific_values",
        ),
        (
            "{table: t, partition: {strategy: recent}}",
            "profiling.tables[0].partition.strategy: 'recent' is not allowed; "
            "use one of latest, recent_n, sample, all, specific_values (did you mean 'recent_n'?)",
        ),
        (
            "{table: t, partition: {strategy: recent_n}}",
            "profiling.tables[0].partition: strategy 'recent_n' needs recent_n, the number of partitions",
        ),
        (
            "{table: t, partition: {strategy: specific_values, values: []}}",
            "profiling.tables[0].partition: strategy 'specific_values' needs values, the list of partition values",
        ),
        (
            "{table: t, partition: {values: [[a]]}}",
            "profiling.tables[0].partition.values[0]: a list is not a single value; "
            "write text, a number, a date, true, false or null",
        ),
        (
            "{table: t, partition: {recent_n: 0}}",
            "profiling.tables[0].partition.recent_n: 0 is not allowed; it must be at least 1",
        ),
        (
            "{table: t, sampling: {fraction: 0}}",
            "profiling.tables[0].sampling.fraction: 0 is not allowed; it must be greater than 0",
        ),
        (
            "{table: t, sampling: {fraction: 1.01}}",
            "profiling.tables[0].sampling.fraction: 1.01 is not allowed; it must be at most 1",
        ),
        ("{table: t, sample_ratio: .nan}", "profiling.tables[0].sample_ratio: nan is not a number"),
        ("{table: t, sample_ratio: half}", "profiling.tables[0].sample_ratio: 'half' is not a number"),
        (
            "{table: t, sampling: {method: bernoulli}}",
            "profiling.tables[0].sampling.method: 'bernoulli' is not allowed; use one of random, stratified, topk",
        ),
        (
            "{table: t, sampling: {seed: -1}}",
            "profiling.tables[0].sampling.seed: -1 is not allowed; it must be at least 0",
        ),
        (
            "{table: t, partition: {fraction: 2}}",
            "profiling.tables[0].partition.fraction: 2 is not allowed; it must be at most 1",
        ),
        (
            "{table: t, sampling: {enabled: perhaps}}",
            "profiling.tables[0].sampling.enabled: 'perhaps' is not allowed; use true or false",
        ),
        (
            "{table: t, histogram_bins: 1001}",
            "profiling.tables[0].histogram_bins: 1001 is not allowed; it must be at most 1000",
        ),
        (
            "{table: t, timeout: soon}",
            "profiling.tables[0].timeout: 'soon' is not a duration; write it as 90s, 15m, 24h, 7d or 1h30m",
        ),
        (
            "{table: t, priority: 11}",
            "profiling.tables[0].priority: 11 is not allowed; it must be at most 10",
        ),
        (
            "{table: t, priority: -11}",
            "profiling.tables[0].priority: -11 is not allowed; it must be at least -10",
        ),
        ("{table: t, priority: high}", "profiling.tables[0].priority: 'high' is not a whole number"),
        ("{table: t, priority: 1.5}", "profiling.tables[0].priority: 1.5 is not a whole number"),
        ("{table: t, priority: yes}", "profiling.tables[0].priority: true is not a number"),
        (
            "{table: t, metrics: []}",
            "profiling.tables[0].metrics: lists no metric; name at least one, or leave the key out for the usual ones",
        ),
        (
            "{table: t, metrics: [nullcount]}",
            "profiling.tables[0].metrics[0]: 'nullcount' is not allowed; use one of count, null_count, null_percent, "
            "distinct_count, distinct_percent, min, max, mean, stddev, histogram, min_length, max_length, avg_length, "
            "p05, p25, p50, p75, p95, zero_count, negative_count, empty_count, min_text, max_text, true_count, "
            "false_count, top_values "
            "(did you mean 'null_count'?)",
        ),
        (
            "{table: t, metrics: count}",
            "profiling.tables[0].metrics: 'count' is not allowed; "
            "write a list, as [a, b] or with one '- ' line an entry",
        ),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(errors: Callable[..., list[str]], entry: str, message: str) -> None:
    assert errors(listing(entry)) == [f"c.yml:4: {message}"]


def test_all_errors_are_told_at_once_in_the_order_of_the_file(errors: Callable[..., list[str]]) -> None:
    text = "airflow: {lease: soon}\n" + listing("{table: t, sample_ratio: 2}", "{tabel: t}") + "  histogram_bins: 0\n"
    assert [line.split(": ")[:2] for line in errors(text)] == [
        ["c.yml:1", "airflow.lease"],
        ["c.yml:5", "profiling.tables[0].sample_ratio"],
        ["c.yml:6", "profiling.tables[1]"],
        ["c.yml:7", "profiling.histogram_bins"],
    ]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ("[a, 1, 1.5, true, null]", ("a", 1, 1.5, True, None)),
        ("[2024-01-31, 2024-01-31 12:00:00]", ("2024-01-31", "2024-01-31T12:00:00")),
        ("['2024-01-31', '1']", ("2024-01-31", "1")),
        ("[2024-13-31]", ("2024-13-31",)),
    ],
)
def test_partition_values_are_single_values_and_dates_are_text(
    load: Callable[..., LoadedConfig], values: str, read: tuple[object, ...]
) -> None:
    text = listing(f"{{table: t, partition: {{strategy: specific_values, values: {values}}}}}")
    (table,) = load(text).model.profiling.tables
    assert table.partition is not None
    assert table.partition.values == read
    assert [type(value) for value in table.partition.values or ()] == [type(value) for value in read]


def test_metrics_are_listed_once_and_in_their_order(load: Callable[..., LoadedConfig]) -> None:
    profiling = load(listing("{table: t, metrics: [max, count, max]}") + "  metrics: [stddev, min]\n").model.profiling
    assert profiling.tables[0].metrics == ("count", "max")
    assert profiling.metrics == ("min", "stddev")


def test_metrics_of_which_none_is_left_are_all_of_them(load: Callable[..., LoadedConfig]) -> None:
    assert load(listing("{table: t}") + "  metrics: [data_type_inferred]\n").model.profiling.metrics == METRICS


def test_an_older_spelling_next_to_the_newer_one_is_a_warning(warnings: Callable[..., list[str]]) -> None:
    assert warnings(listing("{table: t, sample_ratio: 0.5, sampling: {enabled: true}}")) == [
        "c.yml:4: profiling.tables[0].sample_ratio: ignored, since the entry has sampling, the newer spelling of it"
    ]
    assert warnings(listing("{table: t, sample_ratio: 0.5}", "{table: u, sampling: {enabled: true}}")) == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{table: a, pattern: b}", "profiling.tables[0]: table and pattern do not go together; make an entry for each"),
        (
            "{schema: s, select_all_schemas: true}",
            "profiling.tables[0]: schema and select_all_schemas do not go together; make an entry for each",
        ),
        (
            "{pattern: '*a', pattern_type: regex}",
            "profiling.tables[0]: '*a' is not a regular expression: nothing to repeat at position 0",
        ),
        (
            "{pattern: a, table_types: [tables]}",
            "profiling.tables[0].table_types[0]: 'tables' is not allowed; use one of table, view, materialized_view, "
            "foreign_table, virtual_table (did you mean 'table'?)",
        ),
        (
            "{table: 'a*', version_query: SELECT 1}",
            "profiling.tables[0]: version_query is about one table; list the tables by name, or use watermark",
        ),
        (
            "{table: a, watermark: b, version_query: SELECT 1}",
            "profiling.tables[0]: watermark and version_query do not go together; take one of them away",
        ),
    ],
)
def test_what_is_wrong_with_a_pattern_or_a_version_is_said(
    errors: Callable[..., list[str]], entry: str, message: str
) -> None:
    assert errors(listing(entry)) == [f"c.yml:4: {message}"]


def test_what_only_a_pattern_uses_is_a_warning_where_one_table_is_listed(warnings: Callable[..., list[str]]) -> None:
    assert warnings(listing("{table: a, exclude_patterns: [b]}", "{table: '*', exclude_patterns: [b]}")) == [
        "c.yml:4: profiling.tables[0].exclude_patterns: ignored, since the entry lists one table"
    ]


def test_the_same_pattern_for_tables_and_for_views_is_not_a_table_twice(load: Callable[..., LoadedConfig]) -> None:
    text = listing("{table: '*'}", "{table: '*', table_types: [view]}")
    assert [entry.is_pattern for entry in load(text).model.profiling.tables] == [True, True]


def test_the_assets_that_start_a_profile_are_one_or_several(load: Callable[..., LoadedConfig]) -> None:
    text = listing("{table: a, triggered_by: 's3://lake/a'}", "{table: b, triggered_by: ['s3://lake/b', 'file:///b']}")
    one, several = load(text).model.profiling.tables
    assert one.triggered_by == ("s3://lake/a",)
    assert several.triggered_by == ("s3://lake/b", "file:///b")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("orders", "is no asset's URI"),
        ("s3://", "is no asset's URI"),
        ("s3://lake/a b", "is no asset's URI"),
        ("s3://lake/ä", "is no asset's URI"),
        ("postgres://u:s3cret-word@db/d/s/t", "must not hold a login"),
        ("profilemesh://prod/shop/change/a", "is a doorbell of this package's own"),
    ],
)
def test_what_is_no_asset_is_refused_without_a_secret(errors: Callable[..., list[str]], uri: str, message: str) -> None:
    (error,) = errors(listing(f"{{table: a, triggered_by: '{uri}'}}"))
    assert message in error
    assert "s3cret-word" not in error


@pytest.mark.parametrize(
    "query",
    ["COMMIT; DELETE FROM orders", "SELECT 1;; SELECT 2", "SELECT ';' AS a; SELECT 2", "SELECT 1 -- ;\n; DROP TABLE t"],
)
def test_a_version_query_is_one_statement(query: str) -> None:
    with pytest.raises(ValidationError, match="version_query is one SELECT, and this has several statements; keep one"):
        TableConfig.model_validate({"table": "orders", "version_query": query})


@pytest.mark.parametrize(
    "query", ["SELECT 1;", "SELECT ';' || \";\" FROM t -- ; and\n/* ; */ ; ", "SELECT $a$;$a$", "SELECT `;` FROM t"]
)
def test_semicolons_in_texts_names_and_comments_end_no_statement(query: str) -> None:
    assert TableConfig.model_validate({"table": "orders", "version_query": query}).version_query == query
