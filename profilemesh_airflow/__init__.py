"""Apache Airflow provider that profiles exactly the warehouse tables that changed."""

from __future__ import annotations

__version__ = "0.1.0"
