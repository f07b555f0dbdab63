"""Reading a dbt manifest: which tables its models are."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.dbt import Model
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from profilemesh_airflow.core.dbt import Rule

#: Where dbt writes it, in the project's directory.
IN_PROJECT = Path("target", "manifest.json")

_KINDS = frozenset({"model", "seed", "snapshot"})


def relations(path: Path, rule: Rule) -> frozenset[tuple[str, str]]:
    """Schema and table, in lower case, of the models that a rule is about.

    :raises ConfigError: the manifest cannot be read. No answer must not pass for "no table".
    """
    return frozenset(model.relation for model in read_models(path) if rule(model))


def tags_by_relation(path: Path) -> dict[tuple[str, str], frozenset[str]]:
    """The tags of each model, by schema and table in lower case; raises as :func:`relations` does."""
    return {model.relation: model.tags for model in read_models(path)}


def read_models(path: Path) -> tuple[Model, ...]:
    """The models that are tables or views; a file that did not change is not read again.

    :raises ConfigError: as for :func:`relations`.
    """
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"it is no manifest of dbt: {type(error).__name__}: {error}"
    raise ConfigError(f"{path}: {reason}; run `dbt parse`, and check dbt_manifest_path or dbt_project_path")


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> tuple[Model, ...]:
    nodes = json.loads(path.read_bytes())["nodes"].values()
    return tuple(_model(node) for node in nodes if _is_relation(node))


def _is_relation(node: dict[str, Any]) -> bool:
    return node["resource_type"] in _KINDS and node.get("config", {}).get("materialized") != "ephemeral"


def _model(node: dict[str, Any]) -> Model:
    return Model(
        name=node["name"],
        package=node["package_name"],
        path=node["original_file_path"],
        tags=frozenset(node.get("tags", ())),
        materialized=node.get("config", {}).get("materialized", ""),
        kind=node["resource_type"],
        schema=node["schema"],
        table=node.get("alias") or node["name"],
    )
