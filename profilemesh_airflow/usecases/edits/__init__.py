"""Edits of a configuration: which files it is, what they hold, and telling of it when that has changed."""

from __future__ import annotations

from profilemesh_airflow.usecases.edits.files import ConfigFiles, digest_in_force
from profilemesh_airflow.usecases.edits.memory import last_refreshed, remember_refreshed
from profilemesh_airflow.usecases.edits.telling import edits

__all__ = ["ConfigFiles", "digest_in_force", "edits", "last_refreshed", "remember_refreshed"]
