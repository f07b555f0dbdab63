"""What both factories share: reading the configuration while a DAG file is parsed, and defaults of a DAG."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.config import load_config
from profilemesh_airflow.exceptions import NotBuiltError
from profilemesh_airflow.usecases.settings import identity_of, refs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from profilemesh_airflow.config import ProfileMeshConfig
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.table import TableRef


@dataclass(frozen=True)
class ParsedConfig:
    """A configuration as a DAG file needs it: one local file was read, and no database, connection or variable."""

    path: str
    model: ProfileMeshConfig

    @cached_property
    def identity(self) -> Identity:
        """Environment and source, which name every asset."""
        return identity_of(self.model)

    @cached_property
    def refs(self) -> tuple[TableRef, ...]:
        """The listed tables."""
        return refs_of(self.model)


def parse_config(config_path: str | os.PathLike[str]) -> ParsedConfig:
    """Read the configuration for a DAG file.

    :raises ConfigError: shown by Airflow as the import error of the file.
    :raises NotBuiltError: the configuration asks for a topology or trigger that this release does not have.
    """
    path = os.fspath(Path(config_path).expanduser().absolute())
    model = load_config(path).model
    _refuse_unbuilt(model)
    return ParsedConfig(path, model)


def dag_arguments(config: ParsedConfig, tags: Iterable[str], **overrides: Any) -> dict[str, Any]:
    """Arguments of every DAG; ``overrides`` are the caller's, and win."""
    return {
        "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
        "catchup": False,
        "max_active_runs": 1,
        # A consumer that is paused hears no doorbell, and Airflow pauses new DAGs by default.
        "is_paused_upon_creation": False,
        **overrides,
        "tags": ["profilemesh", f"environment:{config.identity.environment}", *tags],
    }


@contextmanager
def many_objects() -> Iterator[None]:
    """Pause the garbage collector: thousands of DAGs are made, none is garbage, and it would walk them all, often."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _refuse_unbuilt(model: ProfileMeshConfig) -> None:
    settings = model.airflow
    unbuilt = {
        f"topology: {settings.topology}": settings.topology != "per_table",
        "listen_to_upstream: true": settings.listen_to_upstream,
    }
    for option in (name for name, asked in unbuilt.items() if asked):
        raise NotBuiltError(f"airflow.{option} is not supported in this release; take it out of the configuration")
