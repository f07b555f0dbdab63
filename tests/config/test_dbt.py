"""Entries about models of dbt: what the manifest says of them, and what becomes of an entry without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from profilemesh_airflow.config.dbt import read_models, relations, tags_by_relation
from profilemesh_airflow.config.selection import manifest_of
from profilemesh_airflow.core.dbt import is_ref, parse_selector
from profilemesh_airflow.exceptions import ConfigError
from tests.manifest import node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from profilemesh_airflow.config import LoadedConfig


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    nodes = [
        node("orders", schema="Sales", alias="fct_orders", tags=["daily"]),
        node("passing", schema="Sales", config={"materialized": "ephemeral"}),
        node("codes", resource_type="seed", schema="raw"),
        node("orders_are_unique", schema="Sales", resource_type="test"),
    ]
    path = tmp_path / "target" / "manifest.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"nodes": {each["name"]: each for each in nodes}}))
    return path


def test_models_seeds_and_snapshots_are_relations_unless_they_are_ephemeral(manifest: Path) -> None:
    assert [model.name for model in read_models(manifest)] == ["orders", "codes"]
    assert relations(manifest, is_ref("orders")) == {("sales", "fct_orders")}
    assert relations(manifest, parse_selector("*")) == {("sales", "fct_orders"), ("raw", "codes")}
    assert tags_by_relation(manifest) == {("sales", "fct_orders"): {"daily"}, ("raw", "codes"): set()}


def test_a_manifest_that_changed_is_read_again(manifest: Path) -> None:
    assert len(read_models(manifest)) == 2
    manifest.write_text(json.dumps({"nodes": {}}))
    assert read_models(manifest) == ()


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"nodes": {"a": {}}}', '{"nodes": {"a": 1}}'])
def test_what_is_no_manifest_is_an_error_and_not_an_empty_one(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "m.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"m\.json: .*; run `dbt parse`, and check dbt_manifest_path"):
        read_models(path)


ENTRY = "source: {{type: postgres}}\nprofiling:\n  tables: [{{table: a}}, {{{}}}]\n"


@pytest.mark.parametrize(
    ("entry", "warning"),
    [
        ("dbt_ref: b", "dbt_ref: needs dbt_manifest_path (or dbt_project_path), and there is none"),
        ("dbt_selector: 'tag:b'", "dbt_selector: needs dbt_manifest_path (or dbt_project_path), and there is none"),
        ("dbt_selector: b+, dbt_project_path: d", "dbt_selector: 'b+' follows dbt's graph, which is not supported"),
        ("dbt_selector: 'state:b', dbt_manifest_path: d", "dbt_selector: 'state:b' has 'state:b', which is not"),
    ],
)
def test_an_entry_that_cannot_be_answered_is_left_out_with_a_warning(
    load: Callable[..., LoadedConfig], entry: str, warning: str
) -> None:
    found = load(ENTRY.format(entry))
    assert [table.ref.key for table in found.model.profiling.tables] == ["a"]
    (line,) = found.warnings
    assert f"profiling.tables[1]: {warning}" in line
    assert line.endswith("; the entry is ignored")


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.format("dbt_ref: orders, dbt_manifest_path: target/manifest.json"),
        ENTRY.format("dbt_ref: orders, dbt_project_path: ."),
        ENTRY.format("dbt_ref: orders") + "  discovery_options: {dbt_manifest_path: target/manifest.json}\n",
    ],
)
def test_the_manifest_is_found_beside_the_configuration(
    load: Callable[..., LoadedConfig], manifest: Path, text: str
) -> None:
    profiling = load(text).model.profiling
    selector = profiling.tables[1].selector(profiling.discovery_options, manifest.parent.parent)
    assert selector.members is not None
    assert selector.members() == {("sales", "fct_orders")}
    assert selector.types > {"table", "view"}


def test_tags_of_dbt_count_where_that_is_said(load: Callable[..., LoadedConfig], tmp_path: Path) -> None:
    text = ENTRY.format("tags: [daily]") + "  discovery_options: {dbt_manifest_path: /m.json, tag_provider: PROVIDER}\n"
    usual = load(text.replace("PROVIDER", "auto")).model.profiling.discovery_options
    assert manifest_of(usual, tmp_path) is None
    by_dbt = load(text.replace("PROVIDER", "dbt")).model.profiling.discovery_options
    assert str(manifest_of(by_dbt, tmp_path)) == "/m.json"
    own = load(text.replace("PROVIDER", "snowflake"))
    assert own.model.profiling.discovery_options.tag_provider == "auto"
    assert "'snowflake' is not supported here; 'auto' is used in its place" in own.warnings[0]
