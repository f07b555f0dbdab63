"""Profile what the ledger holds: claim a change, profile the table, commit. Or say why not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from profilemesh_airflow.core.diff import schema_reasons
from profilemesh_airflow.core.ledger import PARKED, LedgerEntry
from profilemesh_airflow.exceptions import (
    ClaimLostError,
    ConfigError,
    DriverMissingError,
    ProfileError,
    ProfileMeshError,
    StoreError,
    TableMissingError,
)
from profilemesh_airflow.store import RunRecord
from profilemesh_airflow.usecases import happenings
from profilemesh_airflow.usecases.climb import PutOff, climb
from profilemesh_airflow.usecases.heartbeat import heartbeat
from profilemesh_airflow.usecases.outcome import Failed, Outcome, Profiled, Skipped
from profilemesh_airflow.usecases.planning import NO_REASON, build_plan, compare, named_tables, read_plan
from profilemesh_airflow.usecases.refresh import record_selected

if TYPE_CHECKING:
    from profilemesh_airflow.core.budget import Budget
    from profilemesh_airflow.core.events import Happened
    from profilemesh_airflow.core.profile import TableProfile
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace

log = logging.getLogger(__name__)

#: What concerns every table, whichever it met first.
_OF_THE_WHOLE_JOB = (ConfigError, DriverMissingError)

#: Told of every table before it is looked at, and of every outcome.
Progress = Callable[["TableRef | Outcome"], None]


@dataclass(frozen=True)
class Worker:
    """Who profiles: a name for the ledger, and the DAG run it works in, if any."""

    name: str
    dag_id: str | None = None
    dag_run_id: str | None = None


def select_changes(
    workspace: Workspace,
    names: Iterable[str] = (),
    *,
    changed_only: bool = False,
    force: bool = False,
    reason: str | None = None,
) -> list[TableRef]:
    """Record in the ledger what is to be profiled, and return the tables looked at.

    :param names: tables to look at; none means all, and only then removed tables are retired.
    :param changed_only: leave unchanged tables alone; otherwise every table that is looked at is profiled.
    :param force: profile parked tables too.
    :param reason: why, for the ledger.
    """
    named = named_tables(workspace, names)
    seen = workspace.retry.call("reading the ledger", lambda: workspace.ledger.view())
    plan = build_plan(workspace, named or None)
    parked = {key for key, entry in seen.entries.items() if entry.state == PARKED}
    # What waits already needs no force, which would forget its failed attempts.
    forced = set() if changed_only else plan.by_key.keys() - (seen.entries.keys() - parked)
    forced = forced | parked if force else forced - parked
    record_selected(workspace, compare(workspace, plan, seen, named, dict.fromkeys(forced, reason or NO_REASON)))
    return [entry.ref for entry in plan.entries]


def select_open(workspace: Workspace, names: Iterable[str] = ()) -> list[TableRef]:
    """Record in the ledger what changed, and return the tables whose change waits for a worker.

    Where ``airflow.budget`` is set, a change that it defers to a later refresh is left to that.

    :param names: tables to look at; none means all, and only then removed tables are retired.
    """
    named = named_tables(workspace, names)
    seen = workspace.retry.call("reading the ledger", lambda: workspace.ledger.view())
    plan = build_plan(workspace, named or None)
    budget = workspace.policy.budget
    granted = {entry.key for entry in record_selected(workspace, compare(workspace, plan, seen, named, {}), budget)}
    found = workspace.retry.call("reading the ledger", lambda: workspace.ledger.view())
    chosen = to_drain(found, granted, budget)
    return [entry.ref for entry in plan.entries if entry.key in chosen]


def to_drain(view: LedgerView, granted: Collection[str], budget: Budget | None) -> set[str]:
    """The keys of the tables that whoever drains the ledger profiles: those whose change waits for a worker.

    :param granted: where there is a budget, the tables that it has just let through; so were those that are rung.
    """
    return {
        key
        for key, entry in view.entries.items()
        if entry.waiting(view.now) and (budget is None or key in granted or entry.rings)
    }


def profile_tables(
    workspace: Workspace, refs: Iterable[TableRef], worker: Worker, progress: Progress = lambda _: None
) -> list[Outcome]:
    """Profile the open changes of the given tables, one after the other; one that fails does not stop the others.

    :raises ProfileMeshError: what concerns not one table but all of them; see :func:`profile_change`.
    """
    outcomes: list[Outcome] = []
    for ref in refs:
        progress(ref)
        outcome = profile_change(workspace, ref, worker)
        progress(outcome)
        outcomes.append(outcome)
    return outcomes


def profile_change(workspace: Workspace, ref: TableRef, worker: Worker) -> Outcome:
    """Claim the table's open change, profile the table, and commit metrics, baseline and ledger in one transaction.

    What fails for a passing reason is tried again, as ``retry`` says; the claim is held meanwhile.

    :raises StoreError: the ledger cannot be read or written.
    :raises ConfigError: the profiled database's connection is not known.
    :raises DriverMissingError: its driver is not installed.
    """
    # A claim whose answer was lost is held by nobody who knows: its lease runs out, and the change is rung again.
    entry = workspace.retry.call(f"claiming {ref.key}", lambda: workspace.ledger.claim(ref.key, worker.name))
    if entry is None:
        return _skipped(workspace, Skipped(ref, _why_nothing_to_do(workspace, ref)))
    log.info("profiling %s, because of %s", ref.key, "; ".join(map(str, entry.reasons)))
    try:
        with heartbeat(workspace, entry):
            workspace.events.tell(happenings.started(entry))
            run = workspace.retry.call(f"profiling {ref.key}", lambda: _profile(workspace, entry, worker))
        if isinstance(run, PutOff):
            return _postpone(workspace, entry, run)
        news = _seen_by_worker(workspace, entry, run)
        # One whose answer was lost is found done by the next try.
        committed = workspace.retry.call(f"committing {ref.key}", lambda: workspace.ledger.commit(entry, run))
    except Exception as error:  # noqa: BLE001 - the boundary: recorded on the change and returned as its outcome
        return _failed(workspace, entry, worker, error)
    except BaseException as interruption:
        _give_back(workspace, entry, worker, interruption)
        raise
    profiled = Profiled(ref, run.run_id, committed.updated_at, run.profile, entry.reasons)
    workspace.events.tell([news, happenings.completed(profiled, committed)])
    return profiled


def _profile(workspace: Workspace, entry: LedgerEntry, worker: Worker) -> RunRecord | PutOff:
    ref = entry.ref
    # The data version is read here, before the first row: what arrives meanwhile is the next change, not a lost one.
    (planned,) = read_plan(workspace, [ref]).entries
    if planned.info is None:
        raise TableMissingError(workspace.warehouse.why_missing(ref))
    forced = [reason for reason in entry.reasons if reason.kind == "forced"]
    climbed = climb(workspace, planned, planned.info, forced)
    if isinstance(climbed, PutOff):
        return climbed
    _check_empty(workspace, ref, climbed.profile)
    return RunRecord(
        run_id=str(uuid4()),
        entry=planned,
        profile=climbed.profile,
        worker=worker.name,
        dag_id=worker.dag_id,
        dag_run_id=worker.dag_run_id,
        partitions=climbed.partitions,
    )


def _seen_by_worker(workspace: Workspace, entry: LedgerEntry, run: RunRecord) -> Happened | None:
    """The columns that changed after the refresh had looked: the baseline is about to move over them."""
    if run.entry.fingerprint.schema == entry.target.schema:
        return None
    baseline = workspace.retry.call(
        f"reading the baseline of {entry.key}", lambda: workspace.ledger.baselines([entry.key]).get(entry.key)
    )
    if baseline is None:
        return None
    return happenings.schema_changed(entry.key, entry.change_id, schema_reasons(run.entry, baseline))


def _check_empty(workspace: Workspace, ref: TableRef, profile: TableProfile) -> None:
    # A small sample may be empty though the table is not.
    if profile.row_count or profile.rows_of == "sample":
        return
    if workspace.policy.on_empty == "fail":
        raise ProfileError(f"table {ref.display} is empty, and airflow.on_empty is 'fail'")
    if workspace.policy.on_empty == "warn":
        log.warning("table %s is empty", ref.display)


def _failed(workspace: Workspace, entry: LedgerEntry, worker: Worker, error: Exception) -> Failed:
    kind = type(error).__name__
    message = workspace.redact(str(error) if isinstance(error, ProfileMeshError) else f"{kind}: {error}")
    log.error("profiling %s failed: %s", entry.key, message)
    left = None
    try:
        left = workspace.retry.call(
            f"recording the failure of {entry.key}",
            lambda: workspace.ledger.fail(entry, message, kind, dag_id=worker.dag_id, dag_run_id=worker.dag_run_id),
        )
    except ClaimLostError as lost:
        # It went to somebody else, or its failure was recorded by a try whose answer was lost.
        log.warning("the failure of %s could not be recorded: %s", entry.key, lost)
    outcome = Failed(entry.ref, message, kind)
    workspace.events.tell([happenings.failed(outcome, left)])
    if isinstance(error, _OF_THE_WHOLE_JOB):
        raise error
    return outcome


def _postpone(workspace: Workspace, entry: LedgerEntry, put_off: PutOff) -> Skipped:
    log.info("%s is deferred: %s", entry.key, put_off.why)
    workspace.retry.call(f"deferring {entry.key}", lambda: workspace.ledger.postpone(entry, put_off.why))
    return _skipped(workspace, Skipped(entry.ref, f"deferred, and the change stays open: {put_off.why}"))


def _skipped(workspace: Workspace, outcome: Skipped) -> Skipped:
    workspace.events.tell([happenings.skipped(outcome)])
    return outcome


def _give_back(workspace: Workspace, entry: LedgerEntry, worker: Worker, interruption: BaseException) -> None:
    """Give the change back at once, in one try: whoever interrupts does not wait for long."""
    error, kind = "interrupted while it was profiled", type(interruption).__name__
    log.info("%s was %s (%s)", entry.key, error, kind)
    try:
        left = workspace.ledger.fail(entry, error, kind, dag_id=worker.dag_id, dag_run_id=worker.dag_run_id)
    except StoreError as lost:
        log.warning("%s could not be given back, and is rung again when its lease has run out: %s", entry.key, lost)
        return
    workspace.events.tell([happenings.failed(Failed(entry.ref, error, kind), left)])


def _why_nothing_to_do(workspace: Workspace, ref: TableRef) -> str:
    entry = workspace.ledger.open_entries([ref.key]).get(ref.key)
    if entry is not None and entry.state == PARKED:
        return (
            f"parked, since it failed too often ({entry.attempts}); the last error: {entry.last_error}; "
            "it runs again when the table changes or somebody forces it"
        )
    if entry is not None:
        until = f" until {entry.lease_until.isoformat(timespec='seconds')}" if entry.lease_until else ""
        return f"{entry.claimed_by or 'another worker'} is at it{until}"
    baseline = workspace.ledger.baselines([ref.key]).get(ref.key)
    if baseline is None:
        return "no open change; the next refresh looks at it"
    return f"unchanged since it was profiled at {baseline.profiled_at.isoformat(timespec='seconds')}"
