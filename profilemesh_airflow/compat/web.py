"""Addresses in Airflow's web interface."""

from __future__ import annotations

from urllib.parse import quote

from profilemesh_airflow.compat.airflow import conf
from profilemesh_airflow.compat.capabilities import DATASETS, TASK_SDK


def asset_page(uri: str) -> str | None:
    """Where the events of an asset are shown, or none where there are no assets."""
    if TASK_SDK.available:
        return f"{_base('api')}/assets?name_pattern={quote(uri, safe='')}"
    if DATASETS.available:
        return f"{_base('webserver')}/datasets?uri={quote(uri, safe='')}"
    return None


def _base(section: str) -> str:
    return str(conf.get(section, "base_url", fallback="")).rstrip("/")
