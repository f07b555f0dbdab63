"""Small, JSON-safe summaries of profiles, under the keys that downstream tasks read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.usecases.outcome import Failed, Profiled

#: A summary lists so many tables of each kind; the results store has all.
SUMMARISED_TABLES = 100


def profile_summary(outcome: Profiled) -> dict[str, Any]:
    """One table's profile, without its metrics: they are in the results store."""
    return {
        "run_id": outcome.run_id,
        "dataset_name": outcome.ref.table,
        "schema_name": outcome.ref.schema,
        "profiled_at": outcome.profiled_at.isoformat(),
        "columns_profiled": sum(1 for column in outcome.profile.columns if "*" not in column.errors),
        "row_count": outcome.profile.row_count,
        "metadata": {
            "table_key": outcome.ref.key,
            "reasons": sorted({reason.kind for reason in outcome.reasons}),
            "seconds": round(outcome.profile.seconds, 3),
            "queries": outcome.profile.queries,
        },
    }


def run_summary(
    environment: str, run_id: str, profiled: Sequence[Profiled], failed: Sequence[Failed]
) -> dict[str, Any]:
    """The profiles of one task, and what failed."""
    return {
        "run_id": run_id,
        "environment": environment,
        "tables_profiled": len(profiled),
        "tables_failed": len(failed),
        "profiled_at": datetime.now(timezone.utc).isoformat(),
        "results": [profile_summary(outcome) for outcome in profiled[:SUMMARISED_TABLES]],
        "failed": [outcome.as_dict() for outcome in failed[:SUMMARISED_TABLES]],
    }
