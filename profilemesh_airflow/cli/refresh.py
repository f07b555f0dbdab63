"""``refresh``: ask a running Airflow to look for what changed, now."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow.cli.airflow import airflow_options, refresh_dag_option
from profilemesh_airflow.cli.session import Session, command_options
from profilemesh_airflow.exceptions import ProfileMeshError

if TYPE_CHECKING:
    from datetime import timedelta

    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.cli.airflow import AirflowAddress
    from profilemesh_airflow.usecases.ask import Answer
    from profilemesh_airflow.usecases.workspace import Workspace


def _duration(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    from profilemesh_airflow.config import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--force", is_flag=True, help="Profile them even if nothing changed.")
@click.option("--reason", metavar="TEXT", help="Why, for the ledger.")
@click.option("--dry-run", is_flag=True, help="Only find the difference; Airflow's task log has it. Changes nothing.")
@click.option("--wait", is_flag=True, help="Wait until all that is rung for is profiled, and show how far it is.")
@click.option(
    "--timeout",
    callback=_duration,
    default="1h",
    show_default=True,
    metavar="TIME",
    help="With --wait: give up after so long; what is rung for goes on all the same.",
)
@refresh_dag_option
@airflow_options
@command_options
def refresh(
    session: Session,
    airflow: AirflowAddress,
    tables: tuple[str, ...],
    force: bool,
    reason: str | None,
    dry_run: bool,
    wait: bool,
    timeout: timedelta,
    dag_id: str,
) -> None:
    """Ask a running Airflow to look now, and to profile what changed.

    TABLE is a table key, or a name that only one table has; none means every table of the plan.

    Starts the refresh DAG of an Airflow 2 or 3 over its REST API. Who asked, and why, is kept in the ledger. With
    --wait, the results store of the configuration has to be the one that Airflow's workers use. The exit code is then 1
    when a table failed, or the time was over; a table whose failed task Airflow tries again has failed here all the
    same.
    """
    from profilemesh_airflow.cli.progress import logged
    from profilemesh_airflow.usecases.ask import Patience, start_refresh, store_time
    from profilemesh_airflow.usecases.planning import named_tables

    with airflow.require(session) as api, session.workspace() as workspace, logged(session):
        session.warn(workspace.config.warnings)
        keys = [ref.key for ref in named_tables(workspace, tables)]
        since = store_time(workspace) if wait else None
        who = airflow.username or getuser()
        run_id = start_refresh(api, dag_id, keys, force=force, reason=reason, dry_run=dry_run, by=who)
        document: dict[str, Any] = {"dag_id": dag_id, "run_id": run_id, "airflow": api.url}
        if not session.as_json:
            click.echo(f"asked: run {run_id} of {dag_id} at {api.url}")
        failed = False
        if wait:
            found = _Follower(session, api, workspace, dag_id, run_id, Patience(timeout.total_seconds()))
            failed = found.diff(document) if dry_run else found.tables(document, since)
        if session.as_json:
            session.answer(document)
    if failed:
        click.get_current_context().exit(1)


class _Follower:
    """Follows a refresh to its end, and shows it; both ways tell whether something failed."""

    def __init__(
        self, session: Session, api: AirflowApi, workspace: Workspace, dag_id: str, run_id: str, patience: Any
    ) -> None:
        self._session = session
        self._api = api
        self._workspace = workspace
        self._run = (dag_id, run_id)
        self._patience = patience
        self._done: set[str] = set()
        self._total = 0

    def diff(self, document: dict[str, Any]) -> bool:
        from profilemesh_airflow.cli.render import show_found_diff
        from profilemesh_airflow.usecases.ask import found_diff

        self._finish_run()
        document["diff"] = found_diff(self._api, *self._run)
        if not self._session.as_json:
            show_found_diff(document["diff"])
        return False

    def tables(self, document: dict[str, Any], since: Any) -> bool:
        from profilemesh_airflow.usecases.ask import FAILED, follow, rung_changes

        self._finish_run()
        change_ids = rung_changes(self._api, *self._run)
        self._total = len(change_ids)
        answers = follow(self._workspace, change_ids, since, self._patience, self._tell) if change_ids else []
        document["tables"] = [answer.as_dict() for answer in answers]
        late = [answer.key for answer in answers if not answer.done]
        if not self._session.as_json:
            self._summarise(answers)
        if late:
            click.echo(
                f"error: the time is over, and {len(late)} table(s) are not done: {', '.join(late[:10])}; they stay in "
                "the ledger, see `profilemesh-airflow status`; `doctor` says what may hold them up",
                err=True,
            )
        return bool(late) or any(answer.state == FAILED for answer in answers)

    def _finish_run(self) -> None:
        from profilemesh_airflow.cli.progress import waiting
        from profilemesh_airflow.usecases.ask import Timeout, finish_run

        try:
            with waiting("refreshing"):
                finish_run(self._api, *self._run, self._patience)
        except Timeout:
            raise ProfileMeshError(
                f"the time is over, and run {self._run[1]} has not ended; see it in the web UI of {self._api.url}"
            ) from None

    def _tell(self, answer: Answer) -> None:
        from profilemesh_airflow.cli.grid import printable
        from profilemesh_airflow.usecases.ask import WAITING

        if answer.done:
            self._done.add(answer.key)
        if answer.state != WAITING:
            why = f": {self._session.hide(answer.why)}" if answer.why else ""
            line = f"[{len(self._done)}/{self._total}] {answer.key}: {answer.state}{why}"
            click.echo(printable(line), err=True)

    def _summarise(self, answers: list[Answer]) -> None:
        from profilemesh_airflow.usecases.ask import FAILED

        if not answers:
            click.echo("nothing to profile: nobody was rung for")
            return
        states = [answer.state for answer in sorted(answers, key=lambda each: each.state == FAILED)]
        click.echo(", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)))
