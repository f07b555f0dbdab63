"""What the store remembers of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.profile import ColumnProfile, RowsOf

#: The status of a run.
COMPLETED, FAILED = "completed", "failed"

#: Who made a profile. The earlier integration is also the ``worker`` of its runs, once they are in our tables.
OWN, EARLIER = "profilemesh-airflow", "earlier integration"


@dataclass(frozen=True)
class StoredProfile:
    """What one run found out about one table.

    :param row_count: none where the earlier integration did not keep it.
    :param origin: who made it: :data:`OWN` or :data:`EARLIER`.
    :param rows_of: this and ``rung`` are as in a :class:`~profilemesh_airflow.core.profile.TableProfile`; none where
        an earlier release did not keep it.
    """

    table_key: str
    run_id: str
    profiled_at: datetime
    row_count: int | None
    columns: tuple[ColumnProfile, ...]
    origin: str = OWN
    rows_of: RowsOf | None = None
    rung: str | None = None


@dataclass(frozen=True)
class StoredRun:
    """One attempt to profile one table.

    :param status: ``completed`` or ``failed``.
    :param change_id: the change of the ledger that it was for; the earlier integration had none.
    :param error: why it failed.
    :param error_type: the error's class.
    :param rows_of: this and what follows is as in a :class:`~profilemesh_airflow.core.profile.TableProfile`; none where
        it failed, or an earlier release did not keep it.
    """

    run_id: str
    table_key: str
    profiled_at: datetime
    status: str
    reasons: tuple[Reason, ...] = ()
    row_count: int | None = None
    duration_seconds: float | None = None
    change_id: str | None = None
    worker: str | None = None
    dag_id: str | None = None
    dag_run_id: str | None = None
    error: str | None = None
    error_type: str | None = None
    queries: int | None = None
    rows_scanned: int | None = None
    bytes_scanned: int | None = None
    rows_of: RowsOf | None = None
    strategy: Mapping[str, Any] | None = None
    rung: str | None = None
    rung_reason: str | None = None

    @property
    def origin(self) -> str:
        """Who made it: :data:`OWN` or :data:`EARLIER`."""
        return origin_of(self.worker)


def origin_of(worker: str | None) -> str:
    """Who made the runs of a worker."""
    return EARLIER if worker == EARLIER else OWN
