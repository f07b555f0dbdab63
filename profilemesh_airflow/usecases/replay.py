"""Replay: have tables profiled again, whether or not anything changed. The profiled database is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.ledger import PARKED
from profilemesh_airflow.core.naming import find_tables
from profilemesh_airflow.usecases.happenings import recorded
from profilemesh_airflow.usecases.outcome import Skipped
from profilemesh_airflow.usecases.planning import NO_REASON
from profilemesh_airflow.usecases.status import CURRENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace

_UNKNOWN = "it was never profiled and has no change; the next refresh finds it"


@dataclass(frozen=True)
class Reopened:
    """A table that is going to be profiled again.

    :param before: its state until now: ``current``, or that of its open change.
    :param state: its state now: ``open``, or ``claimed`` where a worker is at it and another is to follow.
    """

    ref: TableRef
    before: str
    state: str
    change_id: str

    def as_dict(self) -> dict[str, Any]:
        """The outcome as small, JSON-safe data."""
        return {
            "table_key": self.ref.key,
            "before": self.before,
            "state": self.state,
            "change_id": self.change_id,
        }


def replay(
    workspace: Workspace,
    names: Iterable[str] = (),
    *,
    since: datetime | timedelta | None = None,
    parked: bool = False,
    reason: str | None = None,
) -> tuple[list[Reopened], list[Skipped]]:
    """Re-open the changes of tables, so that the next refresh rings for them.

    A table has to meet all that is given.

    :param names: by key or unambiguous name; none means every table of the plan.
    :param since: only tables whose latest profile is from then on, or is so young on the store's clock.
    :param parked: only tables that failed too often.
    :param reason: why, for the ledger.
    :returns: the tables that are profiled again, and the named ones that are not, with the reason.
    :raises UnknownTableError: a name fits no table, or several.
    """
    named = find_tables(workspace.refs, names)
    made, _ = workspace.retry.call("reading the ledger", lambda: workspace.store.version())
    if not made:  # only looking for what to re-open must not make a store
        return [], [Skipped(ref, _UNKNOWN) for ref in named]
    seen = workspace.retry.call("reading the ledger", lambda: workspace.ledger.view())
    start = seen.now - since if isinstance(since, timedelta) else since
    looked_at = {ref: _why_not(seen, ref, start, parked) for ref in named or workspace.refs}
    chosen = [ref for ref, why_not in looked_at.items() if why_not is None]
    done = _reopen(workspace, chosen, reason or NO_REASON) if chosen else {}
    workspace.events.tell(recorded(tuple((seen.entries.get(key), entry) for key, entry in done.items())))
    reopened = [
        Reopened(ref, _state(seen, ref), done[ref.key].state, done[ref.key].change_id)
        for ref in chosen
        if ref.key in done
    ]
    # One that left the ledger since it was looked at is unknown too.
    skipped = [Skipped(ref, why_not or _UNKNOWN) for ref, why_not in looked_at.items() if ref.key not in done]
    return reopened, skipped if named else []


def _reopen(workspace: Workspace, refs: list[TableRef], reason: str) -> dict[str, LedgerEntry]:
    # One whose answer was lost is written again, which at worst profiles a table twice.
    changes = workspace.retry.call("re-opening changes", lambda: workspace.ledger.reopen(refs, reason))
    return {entry.key: entry for entry in changes}


def _why_not(seen: LedgerView, ref: TableRef, start: datetime | None, parked: bool) -> str | None:
    entry, baseline = seen.entries.get(ref.key), seen.baselines.get(ref.key)
    if entry is None and baseline is None:
        return _UNKNOWN
    if parked and (entry is None or entry.state != PARKED):
        return "it is not parked"
    if start is not None and baseline is None:
        return "it was never profiled"
    if start is not None and baseline is not None and baseline.profiled_at < start:
        return f"it was last profiled at {baseline.profiled_at.isoformat(timespec='seconds')}"
    return None


def _state(seen: LedgerView, ref: TableRef) -> str:
    entry = seen.entries.get(ref.key)
    return entry.state if entry else CURRENT
