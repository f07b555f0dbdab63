"""What is right by itself, and yet cannot be acted on: told when the configuration is read, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.connection import STREAMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.config.drift import MetricDrift
    from profilemesh_airflow.config.model import ProfileMeshConfig
    from profilemesh_airflow.config.preparation import Preparation
    from profilemesh_airflow.config.report import Report
    from profilemesh_airflow.config.yaml_text import KeyPath


def check_engine(model: ProfileMeshConfig, report: Report) -> None:
    """Where only a connection of Airflow's knows the kind of database, that is found when a table is profiled."""
    kind = model.source.type
    if model.profiling.engine == "stream" and kind is not None and kind not in STREAMED:
        report.error(
            ("profiling", "engine"),
            f"stream is not supported for {kind}; rows are streamed from {' and '.join(STREAMED)}, so use auto or sql",
        )


def warn_of_unbuilt(model: ProfileMeshConfig, preparation: Preparation, report: Report) -> None:
    """Warn of what the format has and this release does not; whatever does not need it works."""
    topology = model.airflow.topology
    if topology != "per_table":
        report.warn(
            ("airflow", "topology"),
            f"{topology} is not supported in this release, and DAG files that are built of this fail; use per_table",
        )
    for path, drift in _drifts(model):
        if drift.enabled and drift.strategy == "ml_based":
            report.warn(
                (*preparation.path_in_file(path), "strategy"),
                "ml_based is not supported in this release, and `drift` fails; "
                "use absolute_threshold, standard_deviation, psi or ks",
            )


def _drifts(model: ProfileMeshConfig) -> Iterator[tuple[KeyPath, MetricDrift]]:
    yield ("drift_detection",), model.drift_detection
    for index, table in enumerate(model.profiling.tables):
        if table.drift is None:
            continue
        path: KeyPath = ("profiling", "tables", index, "drift")
        yield path, table.drift
        for name, column in table.drift.columns.items():
            yield (*path, "columns", name), column
