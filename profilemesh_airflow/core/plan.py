"""What should be profiled, and how: one entry a table, pure data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from profilemesh_airflow.core.fingerprint import (
    Fingerprint,
    JsonDocument,
    canonical_json,
    data_digest,
    schema_digest,
    settings_digest,
)
from profilemesh_airflow.core.table import short_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

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
    "p05",
    "p25",
    "p50",
    "p75",
    "p95",
    "zero_count",
    "negative_count",
    "empty_count",
    "min_text",
    "max_text",
    "true_count",
    "false_count",
    "top_values",
]

#: Every metric that can be asked for, in the order in which they are listed and shown.
ALL_METRICS: tuple[MetricName, ...] = get_args(MetricName)

#: Those of the format, which are computed unless others are named; the rest has to be asked for by name.
METRICS = ALL_METRICS[: ALL_METRICS.index("avg_length") + 1]


#: Marks a field that came after the first release: at its default it is no part of a settings document.
_LATER = {"later": True}


@dataclass(frozen=True)
class Partition:
    """Which part of the rows is profiled: the partitions of ``key`` that ``strategy`` selects.

    :param metadata_fallback: whether a key that is not named is looked for in the catalog.
    :param fraction: the share (0 to 1) of the partitions that strategy ``sample`` draws.
    :param seed: another one draws others.
    """

    key: str | None
    strategy: str
    recent_n: int | None = None
    values: tuple[Any, ...] = ()
    metadata_fallback: bool = True
    fraction: float = field(default=0.1, metadata=_LATER)
    seed: int = field(default=0, metadata=_LATER)


@dataclass(frozen=True)
class Sampling:
    """Profile a sample: ``fraction`` (0 to 1) of the rows, at most ``max_rows`` of them.

    :param method: ``random``; ``stratified`` keeps the shares of the values of ``by``; ``topk`` takes the rows with the
        greatest values of ``by``.
    :param by: a column; none is the partition key.
    :param seed: another one draws other rows.
    """

    method: str
    fraction: float
    max_rows: int | None = None
    by: str | None = field(default=None, metadata=_LATER)
    seed: int = field(default=0, metadata=_LATER)


@dataclass(frozen=True)
class TableSettings:
    """Every option that changes what is computed for one table, with defaults filled in.

    :param metrics: names out of :data:`ALL_METRICS`; the order carries no meaning.
    :param approximate: whether approximations will do: for all columns, for none, or for those that are named.
    :param drift: the drift strategy in force and its thresholds.
    """

    metrics: tuple[str, ...] = METRICS
    histogram_bins: int = 10
    max_distinct_values: int = 1000
    partition: Partition | None = None
    sampling: Sampling | None = None
    approximate: tuple[str, ...] | bool = False
    drift: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(name for name in ALL_METRICS if name in self.metrics))
        if isinstance(self.approximate, tuple):
            object.__setattr__(self, "approximate", tuple(sorted(set(self.approximate))))

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
        if self.approximate:
            document["approximate"] = list(self.approximate) if isinstance(self.approximate, tuple) else True
        return document

    def approximates(self, column: str) -> bool:
        """Whether approximations of a column will do."""
        return self.approximate if isinstance(self.approximate, bool) else column in self.approximate

    @cached_property
    def digest(self) -> str:
        """The ``settings`` part of a fingerprint."""
        return settings_digest(self.document)


def _document_of(value: Partition | Sampling | None) -> JsonDocument | None:
    if value is None:
        return None
    items = {
        each.name: getattr(value, each.name)
        for each in fields(value)
        if not each.metadata or getattr(value, each.name) != each.default
    }
    return {name: list(item) if isinstance(item, tuple) else item for name, item in items.items()}


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
    :param profile_after: the age at which it is profiled again while its data version is unknown; none is the usual.
    """

    ref: TableRef
    settings: TableSettings
    info: TableInfo | None = None
    missing: bool = False
    data_version: str | None = None
    priority: int = 0
    profile_after: timedelta | None = None

    @property
    def key(self) -> str:
        """The table's key."""
        return self.ref.key

    @cached_property
    def schema_document(self) -> dict[str, str] | None:
        """Column name to type, or none where the schema is unknown."""
        return None if self.info is None else _types(self.info.columns)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The three digests; an unknown part is none."""
        return Fingerprint(
            settings=self.settings.digest,
            schema=None if self.info is None else _schema_digest(self.info.columns),
            data=None if self.data_version is None else data_digest(self.data_version),
        )


def _types(columns: Iterable[Column]) -> dict[str, str]:
    return {column.name: column.type for column in columns}


@lru_cache(256)
def _schema_digest(columns: tuple[Column, ...]) -> str:
    """That of many tables is the same."""
    return schema_digest(_types(columns))


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

    @property
    def refs(self) -> tuple[TableRef, ...]:
        """Which tables they are."""
        return tuple(entry.ref for entry in self.entries)

    @property
    def tables(self) -> tuple[PlanEntry, ...]:
        """The entries, by the name that the earlier integration's plan had for them."""
        return self.entries

    @property
    def total_tables(self) -> int:
        """How many tables there are."""
        return len(self.entries)

    @cached_property
    def signature(self) -> str:
        """Stands for what is to be profiled and how: equal ones, equal environment, source, tables and settings.

        It says nothing of schema and data, and is for people and for comparison alone: what is to be done is decided by
        table, from the fingerprints.
        """
        settings = {entry.key: entry.settings.digest for entry in self.entries}
        return short_hash(canonical_json([self.identity.environment, self.identity.source, settings]), 64)
