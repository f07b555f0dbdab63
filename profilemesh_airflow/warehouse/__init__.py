"""Reads the profiled database: what tables it has, whether their data changed, and what is in them."""

from __future__ import annotations

from profilemesh_airflow.warehouse.engine import connect
from profilemesh_airflow.warehouse.reader import Warehouse
from profilemesh_airflow.warehouse.reading import Reading
from profilemesh_airflow.warehouse.strategy import Means

__all__ = ["Means", "Reading", "Warehouse", "connect"]
