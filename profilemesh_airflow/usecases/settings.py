"""What the user wrote, as the values that the rest works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.ladder import CostLimits, Rules
from profilemesh_airflow.core.plan import Identity, Partition, Sampling, TableSettings
from profilemesh_airflow.core.policy import Intervals, Policy
from profilemesh_airflow.core.selection import Selection
from profilemesh_airflow.core.upstream import Upstream
from profilemesh_airflow.core.version import VersionRule
from profilemesh_airflow.store import TableNames
from profilemesh_airflow.usecases.drift_rules import drift_document, drift_rules
from profilemesh_airflow.usecases.retry import Retry
from profilemesh_airflow.warehouse import Means

if TYPE_CHECKING:
    from pathlib import Path

    from profilemesh_airflow.config import ConnectionConfig, ProfileMeshConfig, ProfilingConfig, TableConfig
    from profilemesh_airflow.core.drift import DriftRules

#: Turns the id of an Airflow connection into settings; raises ConfigError for one that does not exist.
ConnectionResolver = Callable[[str], ConnectionSettings]

#: What a configuration may say beside ``conn_id``, and then has the last word.
_OVERRIDES = ("host", "port", "database", "username", "schema", "account", "warehouse", "role", "filepath")


@dataclass(frozen=True)
class TableCare:
    """How a table is treated, whatever is computed of it: none of this is part of its fingerprint.

    :param priority: a greater one is rung first where there is a budget.
    :param timeout: how long one try of its profile may take; none is no limit.
    :param partition_key: the column by which partitions are compared and merged, where all of them are profiled.
    :param profile_after: age at which it is profiled again when its data version is unknown; none is the policy's.
    :param version: how the version of its rows is found; none leaves that to the database.
    :param means: which way it is computed, and with how much memory.
    :param upstream: which assets of others start its profile.
    """

    priority: int = 0
    timeout: timedelta | None = None
    partition_key: str | None = None
    profile_after: timedelta | None = None
    version: VersionRule | None = None
    means: Means = field(default_factory=Means)
    upstream: Upstream = field(default_factory=Upstream)


def identity_of(model: ProfileMeshConfig) -> Identity:
    """Environment and source name."""
    return Identity(model.environment, model.source_name)


def selection_of(model: ProfileMeshConfig, directory: Path | None = None) -> Selection:
    """Which tables are meant: one entry for each of ``profiling.tables``.

    :param directory: that of the configuration, where the paths in it may begin.
    """
    options, tables = model.profiling.discovery_options, model.profiling.tables
    return Selection([table.selector(options, directory) if table.is_pattern else table.ref for table in tables])


def policy_of(model: ProfileMeshConfig) -> Policy:
    """The ledger's patience."""
    settings = model.airflow
    return Policy(
        redeliver_after=settings.redeliver_after,
        lease=settings.lease,
        max_attempts=settings.max_attempts,
        budget=Budget(settings.budget.tables, settings.budget.bytes) if settings.budget else None,
        deadline=settings.deadline,
        profile_after=settings.profile_after,
        on_empty=settings.on_empty,
    )


def intervals_of(model: ProfileMeshConfig) -> Intervals:
    """``incremental.adaptive_scheduling``, within its bounds; ``airflow.profile_after`` comes before its default."""
    settings = model.incremental.adaptive_scheduling
    if not (model.incremental.enabled and settings.enabled):
        return Intervals()

    def bounded(minutes: int) -> timedelta:
        within = min(max(minutes, settings.min_interval_minutes), settings.max_interval_minutes)
        return timedelta(minutes=within)

    is_said = "default_interval_minutes" in settings.model_fields_set
    is_usual = is_said and "profile_after" not in model.airflow.model_fields_set
    return Intervals(
        bounded(settings.default_interval_minutes) if is_usual else None,
        {table.lower(): bounded(minutes) for table, minutes in settings.priority_overrides.items()},
    )


def retry_of(model: ProfileMeshConfig) -> Retry:
    """How often, and after which waits, what failed for a passing reason is tried again within the task."""
    settings = model.retry
    return Retry(
        settings.retries if settings.enabled else 0,
        settings.min_backoff,
        settings.max_backoff,
        exponential=settings.backoff_strategy == "exponential",
    )


def rules_of(model: ProfileMeshConfig) -> Rules | None:
    """When less than all is read; none where incremental profiling is off."""
    settings = model.incremental
    if not settings.enabled:
        return None
    partial, costs = settings.partial_profiling, settings.cost_controls
    return Rules(
        merge_partitions=partial.enabled and partial.allow_partition_pruning,
        max_partitions=partial.max_partitions_per_run,
        mergeable=frozenset(partial.mergeable_metrics),
        leave_out=partial.other_metrics == "absent",
        costs=CostLimits(
            costs.max_bytes_scanned, costs.max_rows_scanned, costs.fallback_strategy, costs.sample_fraction
        )
        if costs.enabled
        else None,
    )


def table_names_of(model: ProfileMeshConfig) -> TableNames:
    """What the store's tables are called."""
    return TableNames(
        runs=model.storage.runs_table,
        results=model.storage.results_table,
        state=model.incremental.change_detection.metadata_table,
    )


def connection_of(connection: ConnectionConfig, resolve: ConnectionResolver) -> ConnectionSettings:
    """How to reach a database: as written, or as the Airflow connection says, with what is written on top of it."""
    if connection.conn_id is None:
        return connection.to_settings()
    found = resolve(connection.conn_id)
    written = {name: getattr(connection, "schema_" if name == "schema" else name) for name in _OVERRIDES}
    if connection.password is not None:
        written["password"] = connection.password.get_secret_value()
    return replace(
        found,
        type=connection.type or found.type,
        extra_params={**found.extra_params, **connection.extra_params},
        **{name: value for name, value in written.items() if value is not None},
    )


def settings_by_entry(model: ProfileMeshConfig) -> list[TableSettings]:
    """Every option that changes what is computed, for each entry. Equal settings are one object."""
    profiling, general = model.profiling, model.drift_detection
    usual_drift = drift_document(general, None)
    shared = cache(TableSettings)
    return [
        shared(
            metrics=_metrics(table, profiling),
            histogram_bins=table.histogram_bins or profiling.histogram_bins,
            max_distinct_values=table.max_distinct_values or profiling.max_distinct_values,
            partition=_partition(table),
            sampling=_sampling(table, profiling),
            approximate=profiling.approximate if table.approximate is None else table.approximate,
            drift=drift_document(general, table.drift) if table.drift else usual_drift,
        )
        for table in profiling.tables
    ]


def drift_by_entry(model: ProfileMeshConfig) -> list[DriftRules]:
    """How the drift of the tables of each entry is judged."""
    general = model.drift_detection
    usual = drift_rules(general, None)
    return [drift_rules(general, table.drift) if table.drift else usual for table in model.profiling.tables]


def care_by_entry(model: ProfileMeshConfig) -> list[TableCare]:
    """How the tables of each entry are treated. Equal ones are one object."""
    shared = cache(TableCare)
    profiling = model.profiling
    means = Means(profiling.engine, profiling.max_memory_mb)
    return [
        shared(
            table.priority,
            table.timeout or profiling.timeout,
            None if table.partition is None else table.partition.key,
            table.profile_after,
            _version_rule(table),
            means,
            upstream,
        )
        for table, upstream in zip(profiling.tables, upstream_by_entry(model), strict=True)
    ]


def upstream_by_entry(model: ProfileMeshConfig) -> list[Upstream]:
    """What the tables of each entry hear of others."""
    general = model.airflow
    return [
        Upstream(
            general.listen_to_upstream if table.listen_to_upstream is None else table.listen_to_upstream,
            table.triggered_by,
            table.always,
            table.debounce or general.upstream_debounce,
        )
        for table in model.profiling.tables
    ]


def _version_rule(table: TableConfig) -> VersionRule | None:
    if table.watermark is None and table.version_query is None:
        return None
    return VersionRule(table.watermark, table.version_query)


def _metrics(table: TableConfig, profiling: ProfilingConfig) -> tuple[str, ...]:
    metrics = table.metrics or profiling.metrics
    histograms = profiling.compute_histograms if table.compute_histograms is None else table.compute_histograms
    return tuple(name for name in metrics if histograms or name != "histogram")


def _partition(table: TableConfig) -> Partition | None:
    partition = table.partition
    if partition is None or partition.strategy == "all":
        return None
    selected = Partition(
        key=partition.key,
        strategy=partition.strategy,
        recent_n=partition.recent_n if partition.strategy == "recent_n" else None,
        values=(partition.values or ()) if partition.strategy == "specific_values" else (),
        metadata_fallback=partition.metadata_fallback,
    )
    if partition.strategy != "sample":
        return selected
    return replace(selected, fraction=partition.fraction, seed=partition.seed)


def _sampling(table: TableConfig, profiling: ProfilingConfig) -> Sampling | None:
    sampling = table.sampling
    if sampling is not None:
        if not sampling.enabled:
            return None
        return Sampling(sampling.method, sampling.fraction, sampling.max_rows, sampling.by, sampling.seed)
    fraction = table.sample_ratio or profiling.default_sample_ratio
    return Sampling("random", fraction) if fraction < 1 else None
