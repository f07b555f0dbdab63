"""Airflow hooks. Their names can be imported from here, as from the earlier integration's module of this name."""

from __future__ import annotations

from profilemesh_airflow.lazy import loader

__getattr__ = loader(__name__, {"ProfileMeshHook": "profilemesh"})
