"""The assets of a configuration's tables, for DAGs of the user's own that are scheduled on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.assets import plan_asset, table_asset
from profilemesh_airflow.core.naming import find_table
from profilemesh_airflow.dagbuilder.common import parse_config

if TYPE_CHECKING:
    import os

    from profilemesh_airflow.compat.airflow import Asset


def profilemesh_asset(
    config_path: str | os.PathLike[str],
    table: str | None = None,
    kind: str = "profile",
    *,
    lock: str | os.PathLike[str] | None = None,
) -> Asset:
    """The asset of a table (a Dataset before Airflow 3.0), to schedule a DAG on.

    :param config_path: path of the ProfileMesh configuration.
    :param table: the table's key, or a name that only one table has; none means the plan as a whole.
    :param kind: ``profile`` (it was profiled), ``drift`` (it drifted), or ``change`` (it should be profiled).
    :param lock: the file that ``profilemesh-airflow plan --lock`` wrote; by default the one beside the configuration.
    :raises UnknownTableError: the configuration lists no such table, or several.
    :raises ValueError: ``kind`` is something else.
    """
    config = parse_config(config_path, lock)
    if table is None:
        return plan_asset(config.identity)
    return table_asset(config.identity, kind, find_table(config.refs, table))
