"""What should be profiled, and how: one entry a table, pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from profilemesh_airflow.core.fingerprint import (
    Fingerprint,
    JsonDocument,
    data_digest,
    schema_digest,
    settings_digest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.core.table import TableRef

MetricName = Literal[
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
]

#: Every metric of the format, in the order in which they are listed and shown.
METRICS: tuple[MetricName, ...] = get_args(MetricName)


@dataclass(frozen=True)
class Partition:
    """Which part of the rows is profiled: the partitions of ``key`` that ``strategy`` selects."""

    key: str | None
    strategy: str
    recent_n: int | None = None
    values: tuple[Any, ...] = ()
    metadata_fallback: bool = True


@dataclass(frozen=True)
class Sampling:
    """Profile a sample: ``fraction`` (0 to 1) of the rows, at most ``max_rows`` of them."""

    method: str
    fraction: float
    max_rows: int | None = None


@dataclass(frozen=True)
class TableSettings:
    """Every option that changes what is computed for one table, with defaults filled in.

    :param metrics: names out of :data:`METRICS`; the order carries no meaning.
    :param drift: the drift strategy in force and its thresholds.
    """

    metrics: tuple[str, ...] = METRICS
    histogram_bins: int = 10
    max_distinct_values: int = 1000
    partition: Partition | None = None
    sampling: Sampling | None = None
    drift: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(name for name in METRICS if name in self.metrics))

    @cached_property
    def document(self) -> JsonDocument:
        """The settings as JSON, in a canonical form: equal settings give equal documents."""
        document: dict[str, Any] = {
            "metrics": list(self.metrics),
            "max_distinct_values": self.max_distinct_values,
            "partition": _document_of(self.partition),
            "sampling": _document_of(self.sampling),
            "drift": dict(self.drift),
        }
        if "histogram" in self.metrics:
            document["histogram_bins"] = self.histogram_bins
        return document

    @cached_property
    def digest(self) -> str:
        """The ``settings`` part of a fingerprint."""
        return settings_digest(self.document)


def _document_of(value: Partition | Sampling | None) -> JsonDocument | None:
    if value is None:
        return None
    return {name: list(item) if isinstance(item, tuple) else item for name, item in vars(value).items()}


@dataclass(frozen=True)
class Column:
    """A column as the catalog describes it; ``type`` is the database's own spelling."""

    name: str
    type: str


@dataclass(frozen=True)
class TableInfo:
    """What the catalog says of one table.

    :param kind: ``table`` or ``view`` (or what else the database calls it).
    :param estimated_rows: the catalog's own estimate, or none.
    :param estimated_bytes: the same, in bytes on disk.
    """

    ref: TableRef
    columns: tuple[Column, ...]
    kind: str = "table"
    estimated_rows: int | None = None
    estimated_bytes: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class PlanEntry:
    """One table of the plan.

    :param info: what the catalog says; none where it was not asked (offline) or the table was not found.
    :param missing: the catalog was asked and does not have the table.
    :param data_version: the warehouse's own version of the rows, readable; none where it is unknown.
    :param priority: a greater one is rung first where there is a budget.
    """

    ref: TableRef
    settings: TableSettings
    info: TableInfo | None = None
    missing: bool = False
    data_version: str | None = None
    priority: int = 0

    @property
    def key(self) -> str:
        """The table's key."""
        return self.ref.key

    @cached_property
    def schema_document(self) -> dict[str, str] | None:
        """Column name to type, or none where the schema is unknown."""
        if self.info is None:
            return None
        return {column.name: column.type for column in self.info.columns}

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The three digests; an unknown part is none."""
        columns = self.schema_document
        return Fingerprint(
            settings=self.settings.digest,
            schema=None if columns is None else schema_digest(columns),
            data=None if self.data_version is None else data_digest(self.data_version),
        )


@dataclass(frozen=True)
class Identity:
    """Whose tables these are: the namespace of keys, URIs and ledger rows."""

    environment: str
    source: str


@dataclass(frozen=True)
class Plan:
    """Everything that should be profiled for one source, in the order of the configuration."""

    identity: Identity
    entries: tuple[PlanEntry, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def by_key(self) -> Mapping[str, PlanEntry]:
        """The entries by table key."""
        return {entry.key: entry for entry in self.entries}
