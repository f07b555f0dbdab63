from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from profilemesh_airflow.config import METRICS, load_config
from profilemesh_airflow.config.model import ProfileMeshConfig
from profilemesh_airflow.config.selection import DiscoveryConfig
from profilemesh_airflow.config.shapes import keys_of, shape_of
from profilemesh_airflow.core import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pydantic import SecretStr

    from profilemesh_airflow.config import LoadedConfig
    from profilemesh_airflow.config.shapes import Shape

EXAMPLES = Path(__file__).parent / "examples"


def keys(shape: Shape, path: str = "") -> Iterator[str]:
    """The path of every key of the format."""
    if shape.section is not None:
        for name, below in keys_of(shape.section).items():
            yield f"{path}.{name}".lstrip(".")
            yield from keys(below, f"{path}.{name}")
    elif shape.item is not None:
        yield from keys(shape.item, path)


def written(data: Any, path: str = "") -> Iterator[str]:
    """The path of every key of a document."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield f"{path}.{name}".lstrip(".")
            yield from written(value, f"{path}.{name}")
    elif isinstance(data, list):
        for item in data:
            yield from written(item, path)


def plain(model: ProfileMeshConfig, exclude: set[str] | None = None) -> Any:
    """A model as JSON, with durations in seconds and with its passwords."""

    def simple(value: timedelta | SecretStr) -> float | str:
        return value.total_seconds() if isinstance(value, timedelta) else value.get_secret_value()

    return json.loads(json.dumps(model.model_dump(by_alias=True, exclude=exclude), default=simple))


def test_the_example_has_every_key_of_the_format() -> None:
    data = json.loads((EXAMPLES / "full.json").read_text())
    # Those of a connection are written where they are, and those of a column stand under its name.
    apart = (".connection.", ".drift.columns.")
    of_the_format = {key for key in keys(shape_of(ProfileMeshConfig)) if not any(part in key for part in apart)}
    assert of_the_format - set(written(data)) == set()


def test_every_key_of_the_format_is_known_and_loads_alike_from_yaml_and_json() -> None:
    from_yaml, from_json = load_config(EXAMPLES / "full.yml", {}), load_config(EXAMPLES / "full.json", {})
    for (warning,) in (from_yaml.warnings, from_json.warnings):
        assert "airflow.topology: partitioned is not supported in this release" in warning
    assert from_yaml.model == from_json.model
    assert from_yaml.digest != from_json.digest


def test_every_key_of_the_format_has_the_value_that_is_written() -> None:
    model = load_config(EXAMPLES / "full.yml", {}).model
    data = json.loads((EXAMPLES / "full.json").read_text())
    dumped = plain(model)
    data["profiling"]["tables"][0].update(
        metrics=["count", "min", "max"], timeout=7200, profile_after=21600, debounce=120
    )
    data["profiling"]["timeout"] = 1800
    data["hooks"]["hooks"][0]["log_level"] = "WARNING"
    data["airflow"].update(redeliver_after=90, lease=7200, deadline=259200, profile_after=129600)
    data["airflow"].update(events_retention=2592000, upstream_debounce=30)
    data["airflow"]["watch"].update(debounce=2, interval=60)
    assert contains(dumped, data) == []


def contains(whole: Any, part: Any, path: str = "") -> list[str]:
    """Where ``part`` says something that ``whole`` does not."""
    if isinstance(part, dict):
        return [line for key, value in part.items() for line in contains(whole[key], value, f"{path}.{key}")]
    if isinstance(part, list) and len(part) == len(whole):
        return [line for index, item in enumerate(part) for line in contains(whole[index], item, f"{path}.{index}")]
    return [] if whole == part else [f"{path}: {whole!r} is not {part!r}"]


def test_the_defaults_are_those_of_the_format(load: Callable[..., LoadedConfig]) -> None:
    model = load(environ={"AIRFLOW_HOME": "/opt/airflow"}).model
    assert plain(model, exclude={"source", "storage"}) == {
        "environment": "development",
        "profiling": {
            "tables": [
                {
                    "table": "orders",
                    "schema": "sales",
                    "database": None,
                    "pattern": None,
                    "pattern_type": "wildcard",
                    "schema_pattern": None,
                    "select_schema": False,
                    "select_all_schemas": False,
                    "exclude_patterns": [],
                    "exclude_schemas": [],
                    "table_types": None,
                    "dbt_ref": None,
                    "dbt_selector": None,
                    "dbt_manifest_path": None,
                    "dbt_project_path": None,
                    "min_rows": None,
                    "max_rows": None,
                    "required_columns": [],
                    "modified_since_days": None,
                    "tags": [],
                    "tags_any": [],
                    "partition": None,
                    "sampling": None,
                    "sample_ratio": None,
                    "metrics": None,
                    "histogram_bins": None,
                    "compute_histograms": None,
                    "max_distinct_values": None,
                    "watermark": None,
                    "version_query": None,
                    "profile_after": None,
                    "approximate": None,
                    "timeout": None,
                    "drift": None,
                    "priority": 0,
                    "listen_to_upstream": None,
                    "triggered_by": [],
                    "always": False,
                    "debounce": None,
                }
            ],
            "metrics": [
                "count",
                "null_count",
                "null_percent",
                "distinct_count",
                "distinct_percent",
                "min",
                "max",
                "mean",
                "stddev",
                "histogram",
                "min_length",
                "max_length",
                "avg_length",
            ],
            "discovery_options": {
                "include_schemas": [],
                "exclude_schemas": [],
                "include_table_types": ["table"],
                "exclude_table_types": [],
                "dbt_manifest_path": None,
                "tag_provider": "auto",
            },
            "max_distinct_values": 1000,
            "compute_histograms": True,
            "histogram_bins": 10,
            "default_sample_ratio": 1.0,
            "timeout": None,
            "approximate": False,
            "engine": "auto",
            "max_memory_mb": 256,
        },
        "drift_detection": {
            "enabled": True,
            "strategy": "absolute_threshold",
            "absolute_threshold": {"low_threshold": 5.0, "medium_threshold": 15.0, "high_threshold": 30.0},
            "standard_deviation": {
                "low_threshold": 1.0,
                "medium_threshold": 2.0,
                "high_threshold": 3.0,
                "window": 7,
                "min_runs": 3,
            },
            "psi": {"low_threshold": 0.1, "medium_threshold": 0.2, "high_threshold": 0.25},
            "ks": {"low_threshold": 0.1, "medium_threshold": 0.2, "high_threshold": 0.3, "alpha": 0.05},
            "ml_based": {},
            "schema": {"added": "low", "dropped": "high", "retyped": "medium"},
            "freshness": {
                "enabled": True,
                "low_threshold": 1.5,
                "medium_threshold": 2.0,
                "high_threshold": 3.0,
                "window": 200,
                "min_intervals": 5,
            },
        },
        "hooks": {"enabled": True, "hooks": [], "pre_profiling": [], "post_profiling": []},
        "monitoring": {"enable_metrics": False, "port": 9753, "keep_alive": False},
        "retry": {
            "enabled": True,
            "retries": 3,
            "backoff_strategy": "exponential",
            "min_backoff": 0.5,
            "max_backoff": 8.0,
        },
        "execution": {"max_workers": 1, "batch_size": 10, "queue_size": 100, "warehouse_limits": {}},
        "incremental": {
            "enabled": False,
            "change_detection": {
                "enabled": True,
                "metadata_table": "profilemesh_table_state",
                "connector_overrides": {},
                "snapshot_ttl_minutes": 1440,
            },
            "partial_profiling": {
                "enabled": True,
                "allow_partition_pruning": True,
                "max_partitions_per_run": 64,
                "mergeable_metrics": ["count", "null_count", "null_percent", "min", "max", "mean", "stddev"],
                "other_metrics": "refresh",
            },
            "adaptive_scheduling": {
                "enabled": True,
                "default_interval_minutes": 1440,
                "min_interval_minutes": 60,
                "max_interval_minutes": 10080,
                "priority_overrides": {},
                "staleness_penalty_minutes": 1440,
            },
            "cost_controls": {
                "enabled": True,
                "max_bytes_scanned": None,
                "max_rows_scanned": None,
                "fallback_strategy": "sample",
                "sample_fraction": 0.1,
            },
        },
        "airflow": {
            "topology": "per_table",
            "refresh_schedule": None,
            "watch": {"enabled": True, "debounce": 1, "observer": "auto", "interval": 5},
            "redeliver_after": 900,
            "lease": 3600,
            "max_attempts": 5,
            "budget": None,
            "deadline": 86400,
            "listen_to_upstream": False,
            "upstream_debounce": 10,
            "profile_after": 86400,
            "on_empty": "pass",
            "events_retention": 7776000,
            "results_url": None,
        },
    }


def test_the_metrics_are_those_that_the_plan_knows_in_the_same_order() -> None:
    assert METRICS == plan.METRICS


def test_a_null_or_empty_section_is_the_default(load: Callable[..., LoadedConfig], smallest: str) -> None:
    assert load(f"{smallest}hooks:\nretry: {{}}\nairflow: {{lease: null, budget: ~}}\n").model == load().model


def test_the_order_of_keys_and_comments_have_no_meaning(load: Callable[..., LoadedConfig]) -> None:
    one = """\
# one
source: {type: sqlite, filepath: /a.db}
profiling: {histogram_bins: 5, tables: [{schema: s, table: t}]}
"""
    two = """\
profiling: {tables: [{table: t, schema: s}], histogram_bins: 5} # two
source: {filepath: /a.db, type: sqlite}
"""
    assert load(one).model == load(two).model
    assert load(one).digest != load(two).digest


def test_a_file_of_the_successor_loads_and_each_thing_it_loses_is_a_warning() -> None:
    path = EXAMPLES / "successor.yml"
    loaded = load_config(path, {})
    entries = loaded.model.profiling.tables
    assert [table.ref.key for table in entries if not table.is_pattern] == ["public.customers", "public.orders"]
    assert [table.selector(DiscoveryConfig()).shown for table in entries if table.is_pattern] == [
        "schema: 'public', pattern: 'user_*'",
        "schema_pattern: 's_*', pattern: '^a'",
        "schema: 'analytics', select_schema: true, min_rows: 10, max_rows: 99",
        "select_all_schemas: true",
        "schema: 'public', tags: [critical]",
        "dbt_ref: 'orders'",
        "schema: 'public', table: '*'",
    ]
    assert loaded.model.profiling.metrics == METRICS[:10]
    assert loaded.model.drift_detection.strategy == "absolute_threshold"
    assert [hook.type for hook in loaded.model.hooks.hooks] == ["logging"]
    assert loaded.model.source.host == "localhost"
    key = "this key is not supported here and is ignored"
    assert [line.replace(f"{path}:", "") for line in loaded.warnings] == [
        f"15: storage.enable_expectation_learning: {key}",
        f"16: storage.learning_window_days: {key}",
        f"17: storage.min_samples: {key}",
        f"18: storage.ewma_lambda: {key}",
        f"19: storage.enable_anomaly_detection: {key}",
        f"20: storage.anomaly_enabled_methods: {key}",
        "21: contracts: section 'contracts' is not supported here and is ignored",
        "22: datasets: section 'datasets' is not supported here and is ignored",
        "33: profiling.tables[7]: dbt_selector: needs dbt_manifest_path (or dbt_project_path), and there is none; "
        "the entry is ignored",
        f"35: profiling.tables[9].columns: {key}",
        f"35: profiling.tables[9].override_priority: {key}",
        f"36: profiling.table_discovery: {key}",
        f"37: profiling.discovery_options.cache_discovery: {key}",
        "38: profiling.metrics[2]: 'null_ratio' is not supported here; 'null_percent' is used in its place",
        "38: profiling.metrics[4]: 'unique_ratio' is not supported here; 'distinct_percent' is used in its place",
        "38: profiling.metrics[5]: 'approx_distinct_count' is not supported here; "
        "'distinct_count' is used in its place",
        "39: profiling.metrics[11]: 'data_type_inferred' is not supported here; it is ignored",
        f"41: profiling.enable_enrichment: {key}",
        f"42: profiling.extract_lineage: {key}",
        "44: drift_detection.strategy: 'statistical' is not supported here; 'absolute_threshold' is used in its place",
        f"46: drift_detection.statistical: {key}",
        f"47: drift_detection.baselines: {key}",
        f"48: drift_detection.enable_type_specific_thresholds: {key}",
        "52: hooks.hooks[0]: hook type 'slack' is not supported here; the hook is ignored",
        *(
            f"{line}: {name}: section '{name}' is not supported here and is ignored"
            for line, name in enumerate(
                (
                    "lineage",
                    "llm",
                    "quality_scoring",
                    "rca",
                    "schema_change",
                    "smart_selection",
                    "validation",
                    "visualization",
                ),
                start=54,
            )
        ),
    ]


def test_lines_and_positions_are_those_of_the_file_though_entries_are_left_out(
    errors: Callable[..., list[str]],
) -> None:
    text = """\
source: {type: postgres}
profiling:
  tables:
    - {dbt_ref: a}
    - {table: one, metrics: [data_type_inferred, counts]}
    - {dbt_selector: +b, dbt_project_path: dbt}
    - {table: two, histogram_bins: 0}
    - {table: two}
"""
    found = errors(text)
    assert [line.split(": ")[:2] for line in found] == [
        ["c.yml:5", "profiling.tables[1].metrics[1]"],
        ["c.yml:7", "profiling.tables[3].histogram_bins"],
        ["c.yml:8", "profiling.tables[4]"],
    ]
    assert found[2].endswith("table 'two' is listed a second time, first on line 7; list each table once")
