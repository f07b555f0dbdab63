"""The lock beside the configuration, by which DAG files know what patterns found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.doctor.findings import ERROR, LOCK, WAREHOUSE, WARNING, Finding
from profilemesh_airflow.usecases.lock import lock_path, locked_tables, unlocked_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site


def stale_lock(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """A lock of another configuration, with which DAG files cannot be imported, and one that lacks tables."""
    config = site.workspace.config
    path = lock_path(config.path)
    if not site.workspace.tables.selection.has_patterns or not path.exists():
        return
    try:
        locked_tables(config.model, config.path, path)
    except ConfigError as error:
        what, _, remedy = str(error).rpartition(": ")
        yield Finding(LOCK, ERROR, str(path), what, remedy)
        return
    missing = unlocked_tables(config, site.refs) if WAREHOUSE not in site.closed else None
    if missing:
        what, _, remedy = missing.rpartition("; ")
        yield Finding(LOCK, WARNING, str(path), what, remedy)
