"""Reads the profiled database: what tables it has, whether their data changed, and what is in them."""

from __future__ import annotations

from profilemesh_airflow.warehouse.engine import connect
from profilemesh_airflow.warehouse.reader import Warehouse

__all__ = ["Warehouse", "connect"]
