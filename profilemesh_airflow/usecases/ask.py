"""Asking a running Airflow to refresh, and following what comes of it until every table that it rang for is done."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.ledger import CLAIMED, CLOSED, OPEN, PARKED
from profilemesh_airflow.exceptions import AirflowApiError, NotInAirflowError, StoreError
from profilemesh_airflow.usecases.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.usecases.workspace import Workspace

#: The id of the refresh DAG unless it is given another, and that of its task which looks.
REFRESH_DAG = "profilemesh_plan_refresh"
DETECT_TASK = "detect_and_record"

#: Where a dry run leaves the difference, in that task's XCom.
DIFF_KEY = "plan_diff"

#: What became of a change that was rung for, beside the outcomes of the ledger.
WAITING, WORKING, FAILED, POSTPONED = "waiting", "profiling", "failed", "postponed"

_POLL_SECONDS = 1.0

#: An Airflow that is asked again and again may be away for a while: some minutes.
_PATIENCE = Retry(8, 1.0, 30.0)

_CHANGE_ID = re.compile(r"\b[0-9a-f]{32}\b")
_ENDED = ("success", "failed")


class Timeout(Exception):
    """The time to wait is over."""


class Patience:
    """Waits between two looks, until the time is over.

    :param seconds: how long; none is for ever.
    :param sleep: waits so many seconds.
    """

    def __init__(
        self, seconds: float | None = None, sleep: Callable[[float], None] = time.sleep, poll: float = _POLL_SECONDS
    ) -> None:
        self._until = None if seconds is None else time.monotonic() + seconds
        self._sleep = sleep
        self._poll = poll

    def wait(self) -> None:
        """Wait for the next look.

        :raises Timeout: there is none any more.
        """
        if self._until is not None and time.monotonic() >= self._until:
            raise Timeout
        self._sleep(self._poll)


@dataclass(frozen=True)
class Answer:
    """How far a change that a refresh rang for is.

    :param state: :data:`WAITING`, :data:`WORKING`, :data:`FAILED`, :data:`POSTPONED`, or how the ledger closed it:
        ``profiled``, ``withdrawn`` or ``retired``.
    :param why: the error, or why it was put off.
    """

    key: str
    change_id: str
    state: str
    why: str | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.state not in (WAITING, WORKING)

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON-safe data."""
        return {"table_key": self.key, "change_id": self.change_id, "state": self.state, "why": self.why}


def start_refresh(
    api: AirflowApi,
    dag_id: str = REFRESH_DAG,
    tables: Iterable[str] = (),
    *,
    force: bool = False,
    reason: str | None = None,
    dry_run: bool = False,
    by: str | None = None,
) -> str:
    """Start a run of the refresh DAG.

    :param tables: keys of the tables to look at; none means all.
    :param by: who asks; Airflow's own answer counts more, where it has one.
    :returns: the id of the run.
    :raises AirflowApiError: Airflow cannot be reached, or refuses; there is no such DAG, or it is paused.
    """
    try:
        dag = api.dag(dag_id)
    except NotInAirflowError as error:
        raise NotInAirflowError(
            f"{api.url} has no DAG {dag_id!r} (or does not show it to this user); name the refresh DAG with --dag-id, "
            "and see that its file is deployed"
        ) from error
    if dag.get("is_paused"):
        raise AirflowApiError(
            f"the DAG {dag_id!r} of {api.url} is paused, so that a refresh would wait for ever; run `airflow dags "
            f"unpause {dag_id}`"
        )
    conf: dict[str, Any] = {"tables": list(tables), "force": force, "reason": reason or "", "dry_run": dry_run}
    return api.trigger(dag_id, {**conf, **({"requested_by": by} if by else {})})


def finish_run(api: AirflowApi, dag_id: str, run_id: str, patience: Patience) -> None:
    """Wait until a run of the refresh DAG has ended well.

    :raises AirflowApiError: it failed; names the tasks that did.
    :raises Timeout: it takes longer than there is time.
    """
    while (state := _asked(lambda: api.run(dag_id, run_id))["state"]) not in _ENDED:
        patience.wait()
    if state == "success":
        return
    failed = [task["task_id"] for task in _asked(lambda: api.task_instances(dag_id, run_id)) if _failed(task)]
    raise AirflowApiError(
        f"the refresh failed: run {run_id} of {dag_id} at {api.url}, task {', '.join(failed) or 'unknown'}; the log of "
        "the task says why"
    )


def rung_changes(api: AirflowApi, dag_id: str, run_id: str) -> list[str]:
    """The ids of the changes that a refresh rang for."""
    found = _asked(lambda: api.xcom(dag_id, run_id, DETECT_TASK))
    return _CHANGE_ID.findall(str(found))


def found_diff(api: AirflowApi, dag_id: str, run_id: str) -> dict[str, Any]:
    """What a dry run found."""
    found: dict[str, Any] = _asked(lambda: api.xcom(dag_id, run_id, DETECT_TASK, DIFF_KEY))
    return found


def store_time(workspace: Workspace) -> datetime | None:
    """The time by the store's clock; none where there is no store yet."""
    made, _ = workspace.retry.call("reading the ledger", lambda: workspace.store.version())
    return workspace.retry.call("reading the ledger", lambda: workspace.ledger.now()) if made else None


def follow(
    workspace: Workspace,
    change_ids: Sequence[str],
    since: datetime | None,
    patience: Patience,
    tell: Callable[[Answer], None] = lambda _: None,
) -> list[Answer]:
    """Look into the ledger until every change is answered, or the time is over.

    One that fails is answered with that, whether or not Airflow tries its task again.

    :param since: an error that is older than this is of an earlier try.
    :param tell: is told of every change when it moves on.
    :returns: how far each of them is in the end.
    :raises StoreError: the store does not have one of them.
    """
    answers: dict[str, Answer] = {}
    while True:
        entries = workspace.retry.call("reading the ledger", lambda: workspace.ledger.entries(change_ids))
        if len(entries) < len(set(change_ids)):
            raise StoreError(
                f"the results store ({workspace.storage_settings.place}) does not have the changes that the refresh "
                "recorded; give the configuration that Airflow's workers use, and see that its store is the same here"
            )
        for entry in entries:
            answer = _answer(entry, since)
            if answers.get(entry.key) != answer:
                answers[entry.key] = answer
                tell(answer)
        if all(answer.done for answer in answers.values()):
            return list(answers.values())
        try:
            patience.wait()
        except Timeout:
            return list(answers.values())


def _answer(entry: LedgerEntry, since: datetime | None) -> Answer:
    def answer(state: str, why: str | None = None) -> Answer:
        return Answer(entry.key, entry.change_id, state, why)

    if entry.state == CLOSED:
        return answer(str(entry.outcome))
    new_error = entry.last_error_at is not None and (since is None or entry.last_error_at >= since)
    if entry.state == PARKED or (entry.state == OPEN and new_error):
        return answer(FAILED, f"{entry.last_error_type or 'error'}: {entry.last_error}")
    if entry.state == CLAIMED:
        return answer(WORKING)
    return answer(POSTPONED, entry.postponed) if entry.postponed else answer(WAITING)


def _asked(look: Callable[[], Any]) -> Any:
    return _PATIENCE.call("asking Airflow", look)


def _failed(task: dict[str, Any]) -> bool:
    return task["state"] in ("failed", "upstream_failed")
