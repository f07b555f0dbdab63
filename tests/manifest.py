"""Manifests of dbt, as its projects leave them."""

from __future__ import annotations

from typing import Any


def node(name: str, *, schema: str = "MAIN", **others: Any) -> dict[str, Any]:
    """A model that is a table."""
    return {
        "resource_type": "model",
        "name": name,
        "package_name": "shop",
        "original_file_path": f"models/{name}.sql",
        "tags": [],
        "config": {"materialized": "table"},
        "schema": schema,
        **others,
    }
