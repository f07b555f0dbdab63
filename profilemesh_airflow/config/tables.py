"""One entry of ``profiling.tables``: which table, which part of it, and what is different for it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, field_validator, model_validator

from profilemesh_airflow.config.base import Fraction, OptionalText, Positive, Section, WholeNumber, show
from profilemesh_airflow.config.durations import Duration
from profilemesh_airflow.config.metrics import Metrics
from profilemesh_airflow.core.table import TableRef

if TYPE_CHECKING:
    from collections.abc import Mapping


_SELECTORS = (
    "pattern",
    "schema_pattern",
    "select_schema",
    "select_all_schemas",
    "tags",
    "tags_any",
    "dbt_ref",
    "dbt_selector",
)


def _scalar(value: Any) -> str | int | float | bool | None:
    if isinstance(value, date):  # YAML reads an unquoted date as one, JSON has none
        return value.isoformat()
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(f"{show(value)} is not a single value; write text, a number, a date, true, false or null")


class PartitionConfig(Section):
    """Which partitions of a table are profiled."""

    key: OptionalText = None
    strategy: Literal["latest", "recent_n", "sample", "all", "specific_values"] = "all"
    recent_n: Positive | None = None
    values: tuple[Annotated[str | int | float | bool | None, PlainValidator(_scalar)], ...] | None = None
    metadata_fallback: bool = True

    @model_validator(mode="after")
    def _complete(self) -> PartitionConfig:
        if self.strategy == "recent_n" and self.recent_n is None:
            raise ValueError("strategy 'recent_n' needs recent_n, the number of partitions")
        if self.strategy == "specific_values" and not self.values:
            raise ValueError("strategy 'specific_values' needs values, the list of partition values")
        return self


class SamplingConfig(Section):
    """Which share of a table's rows is profiled."""

    enabled: bool = False
    method: Literal["random", "stratified", "topk"] = "random"
    fraction: Fraction = 0.01
    max_rows: Positive | None = None


class TableConfig(Section):
    """One table to profile; every key but the names is optional, and overrides that of ``profiling``, if it has one.

    ``sample_ratio`` is the older spelling of ``sampling: {enabled: true, fraction: ...}``. Where there is a budget, a
    table of a greater ``priority`` is rung first.
    """

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            *_SELECTORS,
            "columns",
            "dbt_manifest_path",
            "dbt_project_path",
            "drift",
            "exclude_patterns",
            "exclude_schemas",
            "max_rows",
            "min_rows",
            "modified_since_days",
            "override_priority",
            "pattern_type",
            "profiling",
            "required_columns",
            "table_types",
            "validation",
        }
    )

    table: str = Field(min_length=1)
    schema_: OptionalText = Field(default=None, alias="schema")
    database: OptionalText = None
    partition: PartitionConfig | None = None
    sampling: SamplingConfig | None = None
    sample_ratio: Fraction | None = None
    metrics: Metrics | None = None
    histogram_bins: Annotated[Positive, Field(le=1000)] | None = None
    compute_histograms: bool | None = None
    max_distinct_values: Positive | None = None
    timeout: Duration | None = None
    priority: Annotated[WholeNumber, Field(ge=-10, le=10)] = 0

    @classmethod
    def unsupported_entry(cls, entry: Mapping[Any, Any]) -> str | None:
        """An entry that selects tables by a pattern, a tag, a dbt model, or as a whole schema."""
        table = entry.get("table")
        if table == "*":
            selector = "table: '*'"
        elif table:
            return None
        else:
            selector = next((name for name in _SELECTORS if entry.get(name)), "")
        if not selector:
            return None
        return (
            f"{selector}: discovery by pattern is not supported in this release; "
            "the entry is ignored, list the tables by name"
        )

    @model_validator(mode="before")
    @classmethod
    def _not_text(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        schema, _, table = data.rpartition(".")
        entry = f"{{schema: {schema}, table: {table}}}" if schema else f"{{table: {table}}}"
        raise ValueError(f"{show(data)} is text where an entry is expected; write {entry}")

    @field_validator("table")
    @classmethod
    def _named(cls, table: str) -> str:
        if table == "*" or not table.strip():
            raise ValueError(f"{show(table)} is not the name of a table; list the tables by name")
        return table

    @property
    def ref(self) -> TableRef:
        """The table that is meant."""
        return TableRef(table=self.table, schema=self.schema_, database=self.database)
