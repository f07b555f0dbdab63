"""What the user wrote, as the values that the rest works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.drift import Thresholds
from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.core.plan import Identity, Partition, Sampling, TableSettings
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import NotBuiltError
from profilemesh_airflow.store import TableNames
from profilemesh_airflow.usecases.retry import Retry

if TYPE_CHECKING:
    from datetime import timedelta

    from profilemesh_airflow.config import ConnectionConfig, ProfileMeshConfig, ProfilingConfig, TableConfig
    from profilemesh_airflow.core.table import TableRef

#: Turns the id of an Airflow connection into settings; raises ConfigError for one that does not exist.
ConnectionResolver = Callable[[str], ConnectionSettings]

#: What a configuration may say beside ``conn_id``, and then has the last word.
_OVERRIDES = ("host", "port", "database", "username", "schema", "account", "warehouse", "role", "filepath")


@dataclass(frozen=True)
class TableCare:
    """How a table is treated, whatever is computed of it: none of this is part of its fingerprint.

    :param priority: a greater one is rung first where there is a budget.
    :param timeout: how long one try of its profile may take; none is no limit.
    """

    priority: int = 0
    timeout: timedelta | None = None


def identity_of(model: ProfileMeshConfig) -> Identity:
    """Environment and source name."""
    return Identity(model.environment, model.source_name)


def refs_of(model: ProfileMeshConfig) -> tuple[TableRef, ...]:
    """The listed tables, in the order of the configuration."""
    return tuple(table.ref for table in model.profiling.tables)


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


def retry_of(model: ProfileMeshConfig) -> Retry:
    """How often, and after which waits, what failed for a passing reason is tried again within the task."""
    settings = model.retry
    return Retry(
        settings.retries if settings.enabled else 0,
        settings.min_backoff,
        settings.max_backoff,
        exponential=settings.backoff_strategy == "exponential",
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


def thresholds_of(model: ProfileMeshConfig) -> Thresholds:
    """When a drift is low, medium or high.

    :raises NotBuiltError: the configuration asks for another strategy than ``absolute_threshold``.
    """
    drift = model.drift_detection
    if drift.strategy != "absolute_threshold":
        raise NotBuiltError(
            f"drift_detection.strategy: {drift.strategy} is not supported in this release; use absolute_threshold"
        )
    limits = drift.absolute_threshold
    return Thresholds(limits.low_threshold, limits.medium_threshold, limits.high_threshold)


def settings_by_ref(model: ProfileMeshConfig) -> dict[TableRef, TableSettings]:
    """Every option that changes what is computed, for each listed table. Equal settings are one object."""
    profiling, drift = model.profiling, _drift(model)
    shared = cache(TableSettings)
    return {
        table.ref: shared(
            metrics=_metrics(table, profiling),
            histogram_bins=table.histogram_bins or profiling.histogram_bins,
            max_distinct_values=table.max_distinct_values or profiling.max_distinct_values,
            partition=_partition(table),
            sampling=_sampling(table, profiling),
            drift=drift,
        )
        for table in profiling.tables
    }


def care_by_ref(model: ProfileMeshConfig) -> dict[TableRef, TableCare]:
    """How each listed table is treated. Equal ones are one object."""
    shared = cache(TableCare)
    usual = model.profiling.timeout
    return {table.ref: shared(table.priority, table.timeout or usual) for table in model.profiling.tables}


def _metrics(table: TableConfig, profiling: ProfilingConfig) -> tuple[str, ...]:
    metrics = table.metrics or profiling.metrics
    histograms = profiling.compute_histograms if table.compute_histograms is None else table.compute_histograms
    return tuple(name for name in metrics if histograms or name != "histogram")


def _partition(table: TableConfig) -> Partition | None:
    partition = table.partition
    if partition is None or partition.strategy == "all":
        return None
    return Partition(
        key=partition.key,
        strategy=partition.strategy,
        recent_n=partition.recent_n if partition.strategy == "recent_n" else None,
        values=(partition.values or ()) if partition.strategy == "specific_values" else (),
        metadata_fallback=partition.metadata_fallback,
    )


def _sampling(table: TableConfig, profiling: ProfilingConfig) -> Sampling | None:
    sampling = table.sampling
    if sampling is not None:
        return Sampling(sampling.method, sampling.fraction, sampling.max_rows) if sampling.enabled else None
    fraction = table.sample_ratio or profiling.default_sample_ratio
    return Sampling("random", fraction) if fraction < 1 else None


def _drift(model: ProfileMeshConfig) -> tuple[tuple[str, Any], ...]:
    drift = model.drift_detection
    parameters = getattr(drift, drift.strategy)
    document = parameters if isinstance(parameters, dict) else parameters.model_dump()
    return (("strategy", drift.strategy), ("parameters", canonical_json(document)))
