"""What became of one table that was to be profiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.profile import TableProfile
    from profilemesh_airflow.core.table import TableRef


@dataclass(frozen=True)
class Profiled:
    """The table was profiled, and the profile committed."""

    ref: TableRef
    run_id: str
    profiled_at: datetime
    profile: TableProfile
    reasons: tuple[Reason, ...]

    def as_dict(self) -> dict[str, Any]:
        """The outcome as small, JSON-safe data."""
        return {
            "table_key": self.ref.key,
            "run_id": self.run_id,
            "row_count": self.profile.row_count,
            "rows_of": self.profile.rows_of,
            "rung": self.profile.rung,
            "columns": len(self.profile.columns),
            "seconds": round(self.profile.seconds, 3),
            "queries": self.profile.queries,
        }


@dataclass(frozen=True)
class Skipped:
    """The table was not profiled, and nothing was written."""

    ref: TableRef
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The outcome as small, JSON-safe data."""
        return {"table_key": self.ref.key, "why": self.why}


@dataclass(frozen=True)
class Failed:
    """The profile failed; the change stays in the ledger, with the error.

    :param error: what happened, without a secret.
    :param error_type: the class of the error.
    """

    ref: TableRef
    error: str
    error_type: str

    def as_dict(self) -> dict[str, Any]:
        """The outcome as small, JSON-safe data."""
        return {"table_key": self.ref.key, "error": self.error, "error_type": self.error_type}


Outcome = Profiled | Skipped | Failed


def split(outcomes: list[Outcome]) -> tuple[list[Profiled], list[Skipped], list[Failed]]:
    """The outcomes by what became of the table."""
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Profiled)],
        [outcome for outcome in outcomes if isinstance(outcome, Skipped)],
        [outcome for outcome in outcomes if isinstance(outcome, Failed)],
    )
