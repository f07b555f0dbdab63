"""Plan and diff as the documents that the command line prints and the refresh task logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.uri import table_uri

if TYPE_CHECKING:
    from profilemesh_airflow.core.diff import Diff
    from profilemesh_airflow.core.plan import Plan, PlanEntry, TableSettings


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-safe data; an unknown part of a fingerprint is none."""
    return {
        "environment": plan.identity.environment,
        "source": plan.identity.source,
        "tables": [_entry_document(plan, entry) for entry in plan.entries],
        "warnings": list(plan.warnings),
    }


def diff_document(diff: Diff) -> dict[str, Any]:
    """The diff as JSON-safe data."""
    return {
        "changes": [
            {"table_key": change.key, "reasons": [reason.as_dict() for reason in change.reasons]}
            for change in diff.changes
        ],
        "removed": [ref.key for ref in diff.removed],
        "unchanged": len(diff.unchanged),
    }


def table_document(settings: TableSettings) -> dict[str, Any]:
    """What is asked for of one table, as JSON-safe data."""
    document = settings.document
    return {
        "requested_metrics": document["metrics"],
        "partition": document["partition"],
        "sampling": document["sampling"],
        "drift_strategy": document["drift"].get("strategy"),
    }


def _entry_document(plan: Plan, entry: PlanEntry) -> dict[str, Any]:
    settings = entry.settings.document
    return {
        "table_key": entry.key,
        "schema": entry.ref.schema,
        "table": entry.ref.table,
        "asset_uri": table_uri(plan.identity, "change", entry.ref),
        "metrics": settings["metrics"],
        "partition": settings["partition"],
        "sampling": settings["sampling"],
        "fingerprint": entry.fingerprint.as_dict(),
    }
