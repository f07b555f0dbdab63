"""Drift: how a table's latest profile differs from the table's own history."""

from __future__ import annotations

from profilemesh_airflow.core.drift.compare import Snapshot, find_drift, metrics_for
from profilemesh_airflow.core.drift.findings import NONE, SEVERITIES, DriftFinding, worst_first
from profilemesh_airflow.core.drift.freshness import data_changes, find_staleness
from profilemesh_airflow.core.drift.rules import (
    ColumnRules,
    Deviations,
    DriftRules,
    FreshnessRules,
    KolmogorovSmirnov,
    SchemaRules,
    Thresholds,
)
from profilemesh_airflow.core.drift.schema import find_schema_drift

__all__ = [
    "NONE",
    "SEVERITIES",
    "ColumnRules",
    "Deviations",
    "DriftFinding",
    "DriftRules",
    "FreshnessRules",
    "KolmogorovSmirnov",
    "SchemaRules",
    "Snapshot",
    "Thresholds",
    "data_changes",
    "find_drift",
    "find_schema_drift",
    "find_staleness",
    "metrics_for",
    "worst_first",
]
