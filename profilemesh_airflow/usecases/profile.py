"""Profile what the ledger holds: claim a change, profile the table, commit. Or say why not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from profilemesh_airflow.core.ledger import PARKED, LedgerEntry
from profilemesh_airflow.core.naming import find_tables
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
from profilemesh_airflow.usecases.heartbeat import heartbeat
from profilemesh_airflow.usecases.outcome import Failed, Outcome, Profiled, Skipped
from profilemesh_airflow.usecases.planning import NO_REASON, compare, read_plan
from profilemesh_airflow.usecases.refresh import record

if TYPE_CHECKING:
    from profilemesh_airflow.core.profile import TableProfile
    from profilemesh_airflow.core.table import TableRef
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
    named = find_tables(workspace.refs, names)
    seen = workspace.retry.call("reading the ledger", lambda: workspace.ledger.view())
    parked = {key for key, entry in seen.entries.items() if entry.state == PARKED}
    # What waits already needs no force, which would forget its failed attempts.
    forced = set() if changed_only else {ref.key for ref in named or workspace.refs} - (seen.entries.keys() - parked)
    forced = forced | parked if force else forced - parked
    record(workspace, compare(workspace, seen, named, dict.fromkeys(forced, reason or NO_REASON)))
    return named or list(workspace.refs)


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
        return Skipped(ref, _why_nothing_to_do(workspace, ref))
    log.info("profiling %s, because of %s", ref.key, "; ".join(map(str, entry.reasons)))
    try:
        with heartbeat(workspace, entry):
            run = workspace.retry.call(f"profiling {ref.key}", lambda: _profile(workspace, ref, worker))
        # One whose answer was lost is found done by the next try.
        committed = workspace.retry.call(f"committing {ref.key}", lambda: workspace.ledger.commit(entry, run))
    except Exception as error:  # noqa: BLE001 - the boundary: recorded on the change and returned as its outcome
        return _failed(workspace, entry, worker, error)
    except BaseException as interruption:
        _give_back(workspace, entry, worker, interruption)
        raise
    return Profiled(ref, run.run_id, committed.updated_at, run.profile, entry.reasons)


def _profile(workspace: Workspace, ref: TableRef, worker: Worker) -> RunRecord:
    # The data version is read here, before the first row: what arrives meanwhile is the next change, not a lost one.
    (planned,) = read_plan(workspace, [ref]).entries
    if planned.info is None:
        raise TableMissingError(workspace.warehouse.why_missing(ref))
    profile = workspace.warehouse.profile(planned.info, planned.settings, workspace.care[ref].timeout)
    _check_empty(workspace, ref, profile)
    return RunRecord(
        run_id=str(uuid4()),
        entry=planned,
        profile=profile,
        worker=worker.name,
        dag_id=worker.dag_id,
        dag_run_id=worker.dag_run_id,
    )


def _check_empty(workspace: Workspace, ref: TableRef, profile: TableProfile) -> None:
    if profile.row_count:
        return
    if workspace.policy.on_empty == "fail":
        raise ProfileError(f"table {ref.display} is empty, and airflow.on_empty is 'fail'")
    if workspace.policy.on_empty == "warn":
        log.warning("table %s is empty", ref.display)


def _failed(workspace: Workspace, entry: LedgerEntry, worker: Worker, error: Exception) -> Failed:
    kind = type(error).__name__
    message = workspace.redact(str(error) if isinstance(error, ProfileMeshError) else f"{kind}: {error}")
    log.error("profiling %s failed: %s", entry.key, message)
    try:
        workspace.retry.call(
            f"recording the failure of {entry.key}",
            lambda: workspace.ledger.fail(entry, message, kind, dag_id=worker.dag_id, dag_run_id=worker.dag_run_id),
        )
    except ClaimLostError as lost:
        # It went to somebody else, or its failure was recorded by a try whose answer was lost.
        log.warning("the failure of %s could not be recorded: %s", entry.key, lost)
    if isinstance(error, _OF_THE_WHOLE_JOB):
        raise error
    return Failed(entry.ref, message, kind)


def _give_back(workspace: Workspace, entry: LedgerEntry, worker: Worker, interruption: BaseException) -> None:
    """Give the change back at once, in one try: whoever interrupts does not wait for long."""
    error, kind = "interrupted while it was profiled", type(interruption).__name__
    log.info("%s was %s (%s)", entry.key, error, kind)
    try:
        workspace.ledger.fail(entry, error, kind, dag_id=worker.dag_id, dag_run_id=worker.dag_run_id)
    except StoreError as lost:
        log.warning("%s could not be given back, and is rung again when its lease has run out: %s", entry.key, lost)


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
