"""What both factories share: reading the configuration while a DAG file is parsed, and defaults of a DAG."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.config import load_last_good
from profilemesh_airflow.exceptions import NotBuiltError, UnsupportedAirflowError
from profilemesh_airflow.usecases.lock import lock_path, locked_tables
from profilemesh_airflow.usecases.settings import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.config import ProfileMeshConfig
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.table import TableRef

log = logging.getLogger(__name__)

#: For an argument that the configuration gives where the caller does not.
FROM_CONFIG = object()

#: The tag of DAGs that are made of the last good configuration.
BROKEN_TAG = "broken configuration"

#: Airflow's limit; the name of a source may be a long path.
MAX_TAG_LENGTH = 100


@dataclass(frozen=True)
class ParsedConfig:
    """A configuration as a DAG file needs it: local files were read, and no database, connection or variable.

    :param broken: why the file cannot be used, where this is what it last held when it could.
    """

    path: str
    model: ProfileMeshConfig
    broken: str | None
    lock: Path

    @cached_property
    def identity(self) -> Identity:
        """Environment and source, which name every asset."""
        return identity_of(self.model)

    @cached_property
    def refs(self) -> tuple[TableRef, ...]:
        """The tables; where the configuration has patterns, as the lock has them.

        :raises ConfigError: the lock is missing, or stale.
        """
        return locked_tables(self.model, self.path, self.lock)


def parse_config(config_path: str | os.PathLike[str], lock: str | os.PathLike[str] | None = None) -> ParsedConfig:
    """Read the configuration for a DAG file.

    :param lock: the lock file; none means the one beside the configuration.
    :raises ConfigError: it is wrong, and no good one was read here before; shown by Airflow as the import error.
    :raises NotBuiltError: the configuration asks for a topology that this release does not have.
    """
    path = os.fspath(Path(config_path).expanduser().absolute())
    loaded = load_last_good(path)
    _refuse_unbuilt(loaded.model)
    if loaded.broken:
        log.warning("%s", loaded.warnings[0])
    return ParsedConfig(
        path, loaded.model, loaded.broken, Path(lock).expanduser().absolute() if lock else lock_path(path)
    )


def require_datasets(factory: str) -> None:
    """Refuse to build DAGs that nothing would ever start.

    :raises UnsupportedAirflowError: the installed Airflow has no Datasets.
    """
    if not DATASETS.available:
        raise UnsupportedAirflowError(
            f"{factory} needs the Datasets of Airflow {DATASETS.since} or later. This Airflow has none: use "
            "build_polling_dag, whose ProfileMeshPlanSensor waits for a change and profiles what changed"
        )


def dag_arguments(config: ParsedConfig, tags: Iterable[str], **overrides: Any) -> dict[str, Any]:
    """Arguments of every DAG; ``overrides`` are the caller's, and win."""
    return {
        "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
        "catchup": False,
        "max_active_runs": 1,
        # A consumer that is paused hears no doorbell, and Airflow pauses new DAGs by default.
        "is_paused_upon_creation": False,
        **overrides,
        "tags": ["profilemesh", *_identity_tags(config.identity), *([BROKEN_TAG] if config.broken else []), *tags],
    }


def _identity_tags(identity: Identity) -> list[str]:
    return [tag[:MAX_TAG_LENGTH] for tag in (f"environment:{identity.environment}", f"source:{identity.source}")]


def _refuse_unbuilt(model: ProfileMeshConfig) -> None:
    topology = model.airflow.topology
    if topology != "per_table":
        raise NotBuiltError(
            f"airflow.topology: {topology} is not supported in this release; take it out of the configuration"
        )
