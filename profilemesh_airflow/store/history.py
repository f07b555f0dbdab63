"""What the store remembers of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.profile import ColumnProfile

#: The status of a run.
COMPLETED, FAILED = "completed", "failed"

#: Who made a profile. The earlier integration is also the ``worker`` of its runs, once they are in our tables.
OWN, EARLIER = "profilemesh-airflow", "earlier integration"


@dataclass(frozen=True)
class StoredProfile:
    """What one run found out about one table.

    :param row_count: none where the earlier integration did not keep it.
    :param origin: who made it: :data:`OWN` or :data:`EARLIER`.
    """

    table_key: str
    run_id: str
    profiled_at: datetime
    row_count: int | None
    columns: tuple[ColumnProfile, ...]
    origin: str = OWN


@dataclass(frozen=True)
class StoredRun:
    """One attempt to profile one table.

    :param status: ``completed`` or ``failed``.
    :param error: why it failed.
    :param error_type: the error's class.
    """

    run_id: str
    table_key: str
    profiled_at: datetime
    status: str
    reasons: tuple[Reason, ...] = ()
    row_count: int | None = None
    duration_seconds: float | None = None
    worker: str | None = None
    dag_id: str | None = None
    dag_run_id: str | None = None
    error: str | None = None
    error_type: str | None = None

    @property
    def origin(self) -> str:
        """Who made it: :data:`OWN` or :data:`EARLIER`."""
        return origin_of(self.worker)


def origin_of(worker: str | None) -> str:
    """Who made the runs of a worker."""
    return EARLIER if worker == EARLIER else OWN
