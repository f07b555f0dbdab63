"""The only place that names where an Airflow release keeps things; the rest imports from here."""

from __future__ import annotations
