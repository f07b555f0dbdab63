"""Small, JSON-safe summaries of profiles, under the keys that downstream tasks read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.usecases.outcome import split
from profilemesh_airflow.usecases.plan_document import table_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.core.plan import TableSettings
    from profilemesh_airflow.usecases.outcome import Outcome, Profiled

#: A note gives so many reasons.
NOTED_REASONS = 3

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
            "rows_of": outcome.profile.rows_of,
            "rung": outcome.profile.rung,
            "rung_reason": outcome.profile.rung_reason,
        },
    }


def profile_note(outcome: Profiled, settings: TableSettings) -> str:
    """A profile in a few words for people: why, what came of it, and what was asked for."""
    reasons = "; ".join(str(reason) for reason in outcome.reasons[:NOTED_REASONS])
    asked = {name: value for name, value in table_document(settings).items() if value}
    metrics = len(asked.pop("requested_metrics", ()))
    options = "".join(f", {name}: {value}" for name, value in asked.items())
    rows = "unknown" if outcome.profile.row_count is None else outcome.profile.row_count
    return (
        f"{outcome.ref.display} was profiled because of {reasons}. "
        f"Rows: {rows}; columns: {len(outcome.profile.columns)}; run {outcome.run_id}. "
        f"Asked for: {metrics} metrics{options}."
    )


def run_summary(environment: str, run_id: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The profiles of one task, and what failed.

    The lists are cut at :data:`SUMMARISED_TABLES`, and the counts are of all: the rest is in the results store, under
    the DAG run's id.
    """
    profiled, skipped, failed = split(list(outcomes))
    return {
        "run_id": run_id,
        "environment": environment,
        "tables_profiled": len(profiled),
        "tables_skipped": len(skipped),
        "tables_failed": len(failed),
        "profiled_at": datetime.now(timezone.utc).isoformat(),
        "results": [profile_summary(outcome) for outcome in profiled[:SUMMARISED_TABLES]],
        "failed": [outcome.as_dict() for outcome in failed[:SUMMARISED_TABLES]],
    }
