"""Why a table was profiled, each time, and why it is, or is not, profiled now. It looks, and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.budget import queue
from profilemesh_airflow.core.diff import ASKED
from profilemesh_airflow.core.explain import Answer, Facts, Look, explain, moved_on
from profilemesh_airflow.core.naming import find_table
from profilemesh_airflow.core.plan import Plan
from profilemesh_airflow.core.uri import table_uri
from profilemesh_airflow.exceptions import AirflowApiError, DriverMissingError, UnknownTableError, WarehouseError
from profilemesh_airflow.usecases.consumers import hearers
from profilemesh_airflow.usecases.planning import compare, read_plan
from profilemesh_airflow.usecases.tables import find_tables_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.core.diff import Reason
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView, StoredRun
    from profilemesh_airflow.usecases.workspace import Workspace


@dataclass(frozen=True)
class Story:
    """One change of a table, and what was done because of it.

    :param runs: newest first, failed ones too.
    """

    change: LedgerEntry
    runs: tuple[StoredRun, ...]

    def as_dict(self) -> dict[str, Any]:
        """The story as JSON-safe data."""
        change = self.change
        plain = ("change_id", "state", "outcome", "rings", "deferrals", "attempts", "claimed_by", "postponed")
        return {
            **{name: getattr(change, name) for name in plain},
            "reasons": [reason.as_dict() for reason in change.reasons],
            "detected_at": _text(change.detected_at),
            "rung_at": _text(change.rung_at),
            "next_ring_at": _text(change.next_ring_at) if change.closed_at is None else None,
            "claimed_at": _text(change.claimed_at),
            "lease_until": _text(change.lease_until),
            "last_error": change.last_error,
            "last_error_type": change.last_error_type,
            "last_error_at": _text(change.last_error_at),
            "closed_at": _text(change.closed_at),
            "runs": [_run_document(run) for run in self.runs],
        }


@dataclass(frozen=True)
class Explanation:
    """Where a table stands and why, and its changes, the newest first.

    :param reasons: every difference between the table and its baseline, as they are now, and who asked for it.
    :param notes: what is left open, and what else there is to know.
    """

    ref: TableRef
    facts: Facts
    answer: Answer
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    history: tuple[Story, ...]

    def as_dict(self) -> dict[str, Any]:
        """The explanation as JSON-safe data."""
        facts, baseline = self.facts, self.facts.baseline
        return {
            "table_key": self.ref.key,
            **self.answer.as_dict(),
            "at": facts.now.isoformat(),
            "reasons": [reason.as_dict() for reason in self.reasons],
            "last_profiled_at": baseline.profiled_at.isoformat() if baseline else None,
            "last_run_id": baseline.run_id if baseline else None,
            "queue_place": facts.place,
            "queue_length": facts.waiting,
            "consumers": None if facts.hearers is None else dict(facts.hearers),
            "notes": list(self.notes),
            "history": [story.as_dict() for story in self.history],
        }


def explain_table(
    workspace: Workspace, name: str, *, limit: int = 10, offline: bool = False, api: AirflowApi | None = None
) -> Explanation:
    """Explain one table.

    What cannot be asked is named among the notes, and the answer is that of the others.

    :param name: its key, or a name that no other table has; also of one that has left the plan.
    :param limit: how many changes are told of.
    :param offline: the profiled database is not asked.
    :param api: the Airflow in which it is profiled; none is not asked whether its DAG is there and not paused.
    :raises UnknownTableError: no table of the plan, or of the ledger, is called so, or several are.
    :raises StoreError: the store cannot be read.
    """
    seen = workspace.retry.call("reading the ledger", lambda: workspace.store.peek(workspace.identity))
    ledger = workspace.store.peek_ledger(workspace.identity, workspace.policy)
    notes: list[str] = []
    ref = _find(workspace, name, ledger.tables() if ledger else [], offline, notes)
    entry = seen.entries.get(ref.key)
    # A database that could not be asked once is not asked again.
    planned, look = _look(workspace, ref, seen, offline or bool(notes), notes)
    place, waiting = _place(seen, entry)
    heard = None if api is None else _heard(api, table_uri(workspace.identity, "change", ref), notes)
    facts = Facts(seen.now, planned, entry, seen.baselines.get(ref.key), look, place, waiting, heard)
    if moved_on(facts):
        notes.append("it has changed further since its change was recorded; the next refresh takes note of that")
    changes = ledger.history(ref.key, limit) if ledger else []
    runs = workspace.results.runs_for(ref.key, [change.change_id for change in changes]) if changes else []
    history = tuple(
        Story(change, tuple(run for run in runs if run.change_id == change.change_id)) for change in changes
    )
    return Explanation(ref, facts, explain(facts), _reasons(facts), tuple(notes), history)


def _find(workspace: Workspace, name: str, in_ledger: list[TableRef], offline: bool, notes: list[str]) -> TableRef:
    """The table of the plan or, where none is called so, of the ledger."""
    known = workspace.refs
    try:
        return find_table(known, name)
    except UnknownTableError:
        if workspace.tables.selection.has_patterns and not offline:
            found = _asked(workspace, lambda: find_tables_of(workspace).refs, notes)
            known = (*known, *(ref for ref in found or () if ref not in known))
        return find_table((*known, *(ref for ref in in_ledger if ref not in known)), name)


def _look(
    workspace: Workspace, ref: TableRef, seen: LedgerView, offline: bool, notes: list[str]
) -> tuple[bool, Look | None]:
    """Whether the table is planned, and how it compares with its baseline now."""
    if ref not in workspace.tables:
        return False, None
    plan = None if offline else _asked(workspace, lambda: read_plan(workspace, [ref]), notes)
    if plan is None:
        return True, None
    (planned,) = plan.entries
    if planned.missing and ref not in workspace.tables.selection.listed:
        notes.append("no table that a pattern finds is called so any more")
        return False, None
    found = compare(workspace, Plan(plan.identity, plan.entries), seen, [ref], {}).diff
    reasons = found.changes[0].reasons if found.changes else ()
    after = planned.profile_after or workspace.policy.profile_after
    return True, Look(reasons, planned.fingerprint, after, ref.key in found.uncertain)


def _asked(workspace: Workspace, ask: Callable[[], Any], notes: list[str]) -> Any:
    """What the profiled database answers, or none, and a note why."""
    try:
        return ask()
    except (WarehouseError, DriverMissingError) as error:
        notes.append(
            f"the database cannot be asked, so that this is by the ledger alone: {workspace.redact(str(error))}"
        )
        return None


def _place(seen: LedgerView, entry: LedgerEntry | None) -> tuple[int | None, int]:
    due = [each.change_id for each in queue(each for each in seen.entries.values() if each.to_ring(seen.now))]
    place = due.index(entry.change_id) + 1 if entry and entry.change_id in due else None
    return place, len(due)


def _heard(api: AirflowApi, uri: str, notes: list[str]) -> dict[str, bool | None] | None:
    try:
        return hearers(api, uri)
    except AirflowApiError as error:
        notes.append(f"whether its DAG is there and not paused is unknown: {error}")
        return None


def _reasons(facts: Facts) -> tuple[Reason, ...]:
    recorded = facts.entry.reasons if facts.entry else ()
    if facts.look is None:
        return recorded
    return facts.look.reasons + tuple(reason for reason in recorded if reason.kind in ASKED)


def _run_document(run: StoredRun) -> dict[str, Any]:
    plain = (
        "run_id",
        "status",
        "duration_seconds",
        "worker",
        "dag_id",
        "dag_run_id",
        "rung",
        "rung_reason",
        "row_count",
        "rows_of",
        "rows_scanned",
        "error",
        "error_type",
    )
    own = {name: getattr(run, name) for name in plain}
    reasons = [reason.as_dict() for reason in run.reasons]
    return {**own, "profiled_at": run.profiled_at.isoformat(), "reasons": reasons}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
