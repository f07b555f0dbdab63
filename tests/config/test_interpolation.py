from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.config.interpolation import expand

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.config import LoadedConfig

ENVIRON = {"HOST": "db1", "EMPTY": "", "NESTED": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${HOST}", "db1"),
        ("${HOST}:${PORT:5432}", "db1:5432"),
        ("${PORT:}", ""),
        ("${URL:http://x:80/y}", "http://x:80/y"),
        ("${EMPTY:default}", ""),
        ("${NESTED}", "${HOST}"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("a$b $HOST {HOST} $(HOST)", "a$b $HOST {HOST} $(HOST)"),
        ("${PORT:-1}", "-1"),
    ],
)
def test_references_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, ENVIRON) == expanded


def test_an_unset_variable_without_a_default_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"environment variable MISSING is not set; set it, or write \$\{VAR:default\}"
    ):
        expand("x${MISSING}", ENVIRON)


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A B}", "${A", "${A:${B}}", "${A-b}"])
def test_a_malformed_reference_is_an_error_instead_of_a_wrong_value(text: str) -> None:
    with pytest.raises(ValueError, match="begins no"):
        expand(text, ENVIRON)


@given(st.text(alphabet="${}a:", max_size=20) | st.text(max_size=20))
def test_any_text_can_be_written_with_doubled_dollars(text: str) -> None:
    assert expand(text.replace("${", "$${"), {}) == text


@given(st.text(max_size=20), st.text(max_size=20).filter(lambda text: "}" not in text and "${" not in text))
def test_a_value_is_put_in_as_it_is_and_a_default_only_without_it(value: str, default: str) -> None:
    assert expand(f"<${{V:{default}}}>", {"V": value}) == f"<{value}>"
    assert expand(f"<${{V:{default}}}>", {}) == f"<{default}>"


def test_values_of_every_type_may_be_references(load: Callable[..., LoadedConfig]) -> None:
    text = """\
source: {type: "${KIND:postgres}", port: "${PORT:5432}", database: "${DB}", extra_params: {sslmode: "${SSL:require}"}}
profiling:
  tables: ${TABLES}
  compute_histograms: ${HISTOGRAMS:no}
  default_sample_ratio: ${RATIO:0.5}
  metrics: "${METRICS:[count, mean]}"
  histogram_bins: ${BINS:}
airflow: {lease: "${LEASE:2h}"}
execution: {warehouse_limits: "${LIMITS:}"}
"""
    model = load(text, {"DB": "0123", "PORT": "6543", "TABLES": "[{table: '${x'}, {table: b}]"}).model
    assert (model.source.type, model.source.port, model.source.database) == ("postgres", 6543, "0123")
    assert model.source.extra_params == {"sslmode": "require"}
    assert [table.table for table in model.profiling.tables] == ["${x", "b"]
    assert model.profiling.compute_histograms is False
    assert model.profiling.default_sample_ratio == 0.5
    assert model.profiling.metrics == ("count", "mean")
    assert model.profiling.histogram_bins == 10
    assert model.airflow.lease.total_seconds() == 7200
    assert model.execution.warehouse_limits == {}


def test_every_unset_variable_is_reported_with_its_line(errors: Callable[..., list[str]], smallest: str) -> None:
    text = (
        smallest.replace("database: shop", "database: '${DB}'") + "  histogram_bins: ${BINS}\n  metrics: ${METRICS}\n"
    )
    hint = "is not set; set it, or write ${VAR:default}"
    assert errors(text) == [
        f"c.yml:1: source.database: environment variable DB {hint}",
        f"c.yml:5: profiling.histogram_bins: environment variable BINS {hint}",
        f"c.yml:6: profiling.metrics: environment variable METRICS {hint}",
    ]


def test_a_list_from_a_variable_that_is_none_is_an_error(errors: Callable[..., list[str]], smallest: str) -> None:
    text = f"{smallest}  metrics: ${{METRICS}}\n"
    assert errors(text, {"METRICS": "[count"}) == [
        "c.yml:5: profiling.metrics: is not a list or a mapping as YAML writes it"
    ]
    assert errors(text, {"METRICS": "count, min"}) == [
        "c.yml:5: profiling.metrics: 'count, min' is not allowed; "
        "write a list, as [a, b] or with one '- ' line an entry"
    ]


def test_references_in_ignored_parts_are_left_alone(warnings: Callable[..., list[str]], smallest: str) -> None:
    assert warnings(f"{smallest}llm: {{api_key: '${{OPENAI_KEY}}'}}\n") == [
        "c.yml:5: llm: section 'llm' is not supported here and is ignored"
    ]
