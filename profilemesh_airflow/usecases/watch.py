"""Watching the plan: whether there is something to profile, and telling of it once it is in the ledger.

What a refresh does with asset events a sensor does with its success: both are doorbells, and the ledger has the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.store.reconcile import reconcile
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.refresh import mark_rung, record, record_selected

if TYPE_CHECKING:
    from profilemesh_airflow.core.diff import Diff
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.planning import Detection
    from profilemesh_airflow.usecases.workspace import Workspace

#: So many tables are told of at once, as Airflow expands no more mapped tasks by default; the others come next time.
MOST_TABLES = 1000

#: A summary names so many tables, and counts the others.
SUMMARISED_TABLES = 100

#: So many reasons of one table are told, and the others counted.
SHOWN_REASONS = 5


@dataclass(frozen=True)
class News:
    """What a look at the plan found, and has recorded.

    :param entries: the changes to answer now, the most urgent first.
    """

    detection: Detection
    entries: tuple[LedgerEntry, ...]


def is_due(diff: Diff, seen: LedgerView, policy: Policy) -> bool:
    """Whether recording what was found would ring for a table, or retire one."""
    if diff.removed:
        return True
    return bool(reconcile(diff, seen, seen, policy, lambda: "", Budget(tables=1)).to_ring)


def has_news(workspace: Workspace) -> bool:
    """Whether there is something to do. Only reads."""
    detection = detect(workspace)
    return is_due(detection.diff, detection.seen, workspace.policy)


def take_news(workspace: Workspace, *, force: bool = False, reason: str | None = None) -> News | None:
    """Look, record what changed, and take note that it is told of; nothing is acknowledged by that.

    A change that nobody answers is told of again after ``redeliver_after``.

    :param force: where nothing is to be done otherwise, every table is.
    :param reason: why it is forced, for the ledger.
    :returns: none where nothing is to be done.
    """
    news = _record(workspace, detect(workspace))
    if news is None and force:
        news = _record(workspace, detect(workspace, force=True, reason=reason))
    if news is not None:
        mark_rung(workspace, news.entries)
    return news


def news_document(workspace: Workspace, news: News) -> dict[str, Any]:
    """The news as small, JSON-safe data, under the keys that the earlier integration gave them, and some more."""
    plan = news.detection.plan
    planned = [plan.by_key[entry.key] for entry in news.entries if entry.key in plan.by_key]
    return {
        "environment": workspace.identity.environment,
        "changed_tables": [entry.key for entry in news.entries],
        "metrics_requested": sum(len(entry.settings.metrics) for entry in planned),
        "drift_strategy": workspace.config.model.drift_detection.strategy,
        "plan_signature": plan.signature,
        "source": workspace.identity.source,
        "reasons": {entry.key: _reasons(entry) for entry in news.entries},
        "removed_tables": [ref.key for ref in news.detection.diff.removed[:MOST_TABLES]],
    }


def summary_document(workspace: Workspace, news: News) -> dict[str, Any]:
    """The news of a whole plan, small enough for an asset event: the first tables by name, and the number of all."""
    document = news_document(workspace, news)
    for name in ("changed_tables", "removed_tables"):
        document[name.replace("tables", "count")] = len(document[name])
        document[name] = document[name][:SUMMARISED_TABLES]
    del document["reasons"]
    return {**document, "tables": len(news.detection.plan.entries)}


def _record(workspace: Workspace, detection: Detection) -> News | None:
    # A look that finds nothing is no refresh to tell of, however often a sensor looks.
    tell = record if is_due(detection.diff, detection.seen, workspace.policy) else record_selected
    entries = tell(workspace, detection, _limited(workspace.policy.budget))
    return News(detection, tuple(entries)) if entries or detection.diff.removed else None


def _limited(budget: Budget | None) -> Budget:
    if budget is None:
        return Budget(MOST_TABLES)
    return Budget(min(budget.tables or MOST_TABLES, MOST_TABLES), budget.bytes)


def _reasons(entry: LedgerEntry) -> list[str]:
    shown = [str(reason) for reason in entry.reasons[:SHOWN_REASONS]]
    more = len(entry.reasons) - len(shown)
    return [*shown, f"and {more} more"] if more else shown
