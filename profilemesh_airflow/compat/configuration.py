"""Airflow's settings on this machine: ``airflow.cfg`` and the environment."""

from __future__ import annotations

from profilemesh_airflow.compat.airflow import conf


def get_setting(section: str, name: str) -> str | None:
    """The text of a setting, with Airflow's own default, or none where this release has no such setting."""
    text = conf.get(section, name, fallback=None)
    return None if text is None else str(text)
