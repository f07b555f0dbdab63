"""``storage``: where results and the ledger are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator, model_validator

from profilemesh_airflow.config.base import Identifier, Section
from profilemesh_airflow.config.connection import IN_MEMORY, ConnectionConfig
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Name of the SQLite file under AIRFLOW_HOME that serves where no storage is configured.
DEFAULT_FILE = "profilemesh.db"


def default_connection(environ: Mapping[str, str]) -> dict[str, str]:
    """The connection that stands in for a missing one: a SQLite file in :func:`airflow_home`; raises as that does."""
    return {"type": "sqlite", "filepath": str(airflow_home(environ) / DEFAULT_FILE)}


def airflow_home(environ: Mapping[str, str]) -> Path:
    """Airflow's own directory.

    :param environ: has ``AIRFLOW_HOME``; else it is the directory ``airflow`` in the user's own (``HOME``).
    :raises ConfigError: there is neither.
    """
    given = environ.get("AIRFLOW_HOME") or "~/airflow"
    if given.startswith("~/") and environ.get("HOME"):
        given = f"{environ['HOME']}/{given[2:]}"
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"storage: there is no home directory for {given}; set AIRFLOW_HOME") from None


class StorageConfig(Section):
    """The database of the results, and the names of its two tables that the format lets one choose."""

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "anomaly_enabled_methods",
            "anomaly_ewma_deviation_threshold",
            "anomaly_iqr_threshold",
            "anomaly_mad_threshold",
            "anomaly_regime_shift_enabled",
            "anomaly_regime_shift_sensitivity",
            "anomaly_regime_shift_window",
            "anomaly_seasonality_enabled",
            "enable_anomaly_detection",
            "enable_expectation_learning",
            "ewma_lambda",
            "learning_window_days",
            "min_samples",
        }
    )

    connection: ConnectionConfig
    results_table: Identifier = "profilemesh_results"
    runs_table: Identifier = "profilemesh_runs"
    create_tables: bool = True

    @field_validator("connection")
    @classmethod
    def _kept(cls, connection: ConnectionConfig) -> ConnectionConfig:
        if connection.filepath == IN_MEMORY:
            raise ValueError(f"filepath {IN_MEMORY!r} would keep nothing from one task to the next; name a file")
        return connection

    @model_validator(mode="after")
    def _distinct(self) -> StorageConfig:
        if self.results_table.lower() == self.runs_table.lower():
            raise ValueError(f"results_table and runs_table are both {self.runs_table!r}; they must differ")
        return self
