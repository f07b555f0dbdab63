"""One entry of ``profiling.tables``: which table, which part of it, and what is different for it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, field_validator, model_validator

from profilemesh_airflow.config.base import Fraction, OptionalText, Positive, Section, WholeNumber, show
from profilemesh_airflow.config.drift import TableDriftConfig
from profilemesh_airflow.config.durations import Duration
from profilemesh_airflow.config.metrics import Metrics
from profilemesh_airflow.config.selection import TableSelection

#: Another one draws another sample.
Seed = Annotated[WholeNumber, Field(ge=0, le=2**31 - 1)]


#: Texts, quoted names and comments of SQL.
_NO_CODE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$""", re.DOTALL)


def _scalar(value: Any) -> str | int | float | bool | None:
    if isinstance(value, date):  # YAML reads an unquoted date as one, JSON has none
        return value.isoformat()
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(f"{show(value)} is not a single value; write text, a number, a date, true, false or null")


def _columns(value: Any) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError(f"{show(value)} is not allowed; write true, false or a list of columns, as [a, b]")


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _asset_uri(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if not scheme or not rest.strip("/") or not value.isascii() or any(letter.isspace() for letter in value):
        raise ValueError(f"{show(value)} is no asset's URI; write one such as 's3://bucket/orders', in ASCII")
    if scheme == "profilemesh" and rest.split("/")[2:3] == ["change"]:
        raise ValueError(f"{show(value)} is a doorbell of this package's own; every table hears its own one anyway")
    if "@" in rest.partition("/")[0]:
        raise ValueError("an asset's URI must not hold a login; remove what is before the '@'")
    return value


#: The URI of an asset that somebody else publishes on.
AssetUri = Annotated[str, AfterValidator(_asset_uri)]


class PartitionConfig(Section):
    """Which partitions of a table are profiled; ``fraction`` and ``seed`` are for the strategy ``sample``."""

    key: OptionalText = None
    strategy: Literal["latest", "recent_n", "sample", "all", "specific_values"] = "all"
    recent_n: Positive | None = None
    values: tuple[Annotated[str | int | float | bool | None, PlainValidator(_scalar)], ...] | None = None
    metadata_fallback: bool = True
    fraction: Fraction = 0.1
    seed: Seed = 0

    @model_validator(mode="after")
    def _complete(self) -> PartitionConfig:
        if self.strategy == "recent_n" and self.recent_n is None:
            raise ValueError("strategy 'recent_n' needs recent_n, the number of partitions")
        if self.strategy == "specific_values" and not self.values:
            raise ValueError("strategy 'specific_values' needs values, the list of partition values")
        return self


class SamplingConfig(Section):
    """Which share of a table's rows is profiled.

    ``by`` is the column of the methods ``stratified`` and ``topk``; without it, that is the partition key.
    """

    enabled: bool = False
    method: Literal["random", "stratified", "topk"] = "random"
    fraction: Fraction = 0.01
    max_rows: Positive | None = None
    by: OptionalText = None
    seed: Seed = 0


class TableConfig(TableSelection):
    """One table to profile, or several that a pattern finds; its options override those of ``profiling``.

    ``sample_ratio`` is the older spelling of ``sampling: {enabled: true, fraction: ...}``. Where there is a budget, a
    table of a greater ``priority`` is rung first. ``triggered_by`` are the assets whose events start its profile, in
    addition to its own with ``listen_to_upstream``; with ``always`` they do so whatever became of its data.
    """

    unsupported_keys: ClassVar[frozenset[str]] = TableSelection.unsupported_keys | {
        "columns",
        "profiling",
        "validation",
    }

    partition: PartitionConfig | None = None
    sampling: SamplingConfig | None = None
    sample_ratio: Fraction | None = None
    metrics: Metrics | None = None
    histogram_bins: Annotated[Positive, Field(le=1000)] | None = None
    compute_histograms: bool | None = None
    max_distinct_values: Positive | None = None
    watermark: OptionalText = None
    version_query: OptionalText = None
    profile_after: Duration | None = None
    approximate: Annotated[bool | tuple[str, ...], PlainValidator(_columns)] | None = None
    timeout: Duration | None = None
    drift: TableDriftConfig | None = None
    priority: Annotated[WholeNumber, Field(ge=-10, le=10)] = 0
    listen_to_upstream: bool | None = None
    triggered_by: Annotated[tuple[AssetUri, ...], BeforeValidator(_several)] = ()
    always: bool = False
    debounce: Duration | None = None

    @field_validator("version_query")
    @classmethod
    def _one_statement(cls, query: str | None) -> str | None:
        if query and ";" in _NO_CODE.sub("", query).strip().removesuffix(";"):
            raise ValueError("version_query is one SELECT, and this has several statements; keep one")
        return query

    @model_validator(mode="after")
    def _one_version(self) -> TableConfig:
        if self.version_query and self.watermark:
            raise ValueError("watermark and version_query do not go together; take one of them away")
        if self.version_query and self.is_pattern:
            raise ValueError("version_query is about one table; list the tables by name, or use watermark")
        return self
