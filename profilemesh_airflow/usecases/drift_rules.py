"""What the user wrote about drift, as the rules for one table and as a part of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.config.drift import DriftConfig
from profilemesh_airflow.core.drift import (
    ColumnRules,
    Deviations,
    DriftRules,
    FreshnessRules,
    KolmogorovSmirnov,
    SchemaRules,
    Thresholds,
)
from profilemesh_airflow.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from profilemesh_airflow.config.drift import MetricDrift, TableDriftConfig, Thresholds as ThresholdsConfig

_DEFAULT = DriftConfig()


def drift_rules(general: DriftConfig, own: TableDriftConfig | None) -> DriftRules:
    """The rules of a table.

    :param general: ``drift_detection``.
    :param own: what the table has of its own.
    """
    config, columns = _inherited(general, own)
    schema, freshness = config.schema_, config.freshness
    return DriftRules(
        enabled=config.enabled,
        metrics=_rules(config, enabled=True),
        columns=tuple((name, _rules(column, enabled=column.enabled)) for name, column in columns),
        schema=SchemaRules(schema.added, schema.dropped, schema.retyped),
        freshness=FreshnessRules(freshness.enabled, _thresholds(freshness), freshness.window, freshness.min_intervals),
    )


def drift_document(general: DriftConfig, own: TableDriftConfig | None) -> tuple[tuple[str, Any], ...]:
    """The part of a table's settings that says how its drift is judged.

    Strategy and thresholds are always there, and everything else where it is not the default: an option that a later
    release adds does not change the settings of those who do not use it.
    """
    config, columns = _inherited(general, own)
    document = _document(config)
    for name in ("schema_", "freshness"):
        section = getattr(config, name)
        if section != getattr(_DEFAULT, name):
            document[name.rstrip("_")] = canonical_json(section.model_dump())
    different = [[name, _document(column)] for name, column in columns if _document(column) != _document(config)]
    if different:
        document["columns"] = canonical_json(different)
    return tuple(document.items())


def _inherited(general: DriftConfig, own: TableDriftConfig | None) -> tuple[DriftConfig, list[tuple[str, DriftConfig]]]:
    """What holds for a table, and for columns of it by name or pattern."""
    if own is None:
        return general, []
    table = _with(general, own)
    return table, [(name, _with(table, column)) for name, column in own.columns.items()]


def _with(outer: DriftConfig, inner: MetricDrift) -> DriftConfig:
    written = inner.model_fields_set & DriftConfig.model_fields.keys()
    return outer.model_copy(update={name: getattr(inner, name) for name in written})


def _rules(config: DriftConfig, *, enabled: bool) -> ColumnRules:
    deviations, ks = config.standard_deviation, config.ks
    return ColumnRules(
        enabled=enabled,
        strategy=config.strategy,
        absolute_threshold=_thresholds(config.absolute_threshold),
        standard_deviation=Deviations(_thresholds(deviations), deviations.window, deviations.min_runs),
        psi=_thresholds(config.psi),
        ks=KolmogorovSmirnov(_thresholds(ks), ks.alpha),
    )


def _thresholds(config: ThresholdsConfig) -> Thresholds:
    return Thresholds(config.low_threshold, config.medium_threshold, config.high_threshold)


def _document(config: DriftConfig) -> dict[str, Any]:
    document: dict[str, Any] = {"strategy": config.strategy, "parameters": canonical_json(_parameters(config))}
    # Whatever the strategy cannot judge, the absolute thresholds do.
    if config.strategy not in ("absolute_threshold", "ml_based"):
        fallback = config.absolute_threshold
        if fallback != _DEFAULT.absolute_threshold:
            document["absolute_threshold"] = canonical_json(fallback.model_dump())
    return document if config.enabled else {**document, "enabled": False}


def _parameters(config: DriftConfig) -> dict[str, Any]:
    parameters, default = getattr(config, config.strategy), getattr(_DEFAULT, config.strategy)
    if isinstance(parameters, dict):
        return parameters
    return {
        name: value
        for name, value in parameters.model_dump().items()
        if name.endswith("_threshold") or value != getattr(default, name)
    }
