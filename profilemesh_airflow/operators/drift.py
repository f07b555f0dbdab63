"""Drift as a task: to tell of it, or to stop what comes after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowFailException, AirflowSkipException
from profilemesh_airflow.compat.assets import is_outlet, set_event_extra
from profilemesh_airflow.core.drift import NONE, SEVERITIES
from profilemesh_airflow.core.uri import kind_of
from profilemesh_airflow.exceptions import ConfigError, NotBuiltError, ProfileError, StoreError
from profilemesh_airflow.operators.base import ProfileMeshSingleTableOperator
from profilemesh_airflow.usecases.drift import drift_of, tell_of_drift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.usecases.drift import DriftReport

#: A report lists so many findings, the worst first, and counts the others.
SHOWN_FINDINGS = 20

#: What a circuit breaker may not be able to judge by: no profile, no store, no such strategy.
_CANNOT_JUDGE = (ProfileError, StoreError, NotBuiltError)


class ProfileMeshDriftOperator(ProfileMeshSingleTableOperator):
    """Compares a table's latest profile with its history.

    Without ``fail_on_severity`` it tells of drift: it is skipped when nothing drifted, and otherwise returns the
    report, which is the extra of the event on the table's ``drift`` asset where that is an outlet.

    With ``fail_on_severity`` it is a circuit breaker, to be put before a step that must not see bad data: it fails, and
    is not tried again, when the table drifted so much or more; otherwise it succeeds, with the report. What it judges
    is the latest profile, so put a task before it that profiles the table.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names (templated).
    :param profilemesh_conn_id: a ``profilemesh`` connection; without ``config_path`` it is ``profilemesh_default``,
        unless another is given (templated).
    :param table: the table's name, or its whole key (templated).
    :param schema: its schema, if the configuration gives one (templated).
    :param database: its database, if the configuration gives one (templated).
    :param fail_on_severity: ``low``, ``medium`` or ``high``; none is no circuit breaker.
    :param fail_open: whether the circuit breaker lets pass what it cannot judge: a table without an earlier profile,
        one whose drift is switched off, a store that cannot be reached. There is no default: only you know which is
        worse.
    :raises ConfigError: ``fail_on_severity`` is something else, or comes without ``fail_open``; or a circuit breaker
        has a drift asset as its outlet, on which its success would tell of drift that there is not.
    """

    def __init__(
        self,
        *,
        config_path: str | None = None,
        profilemesh_conn_id: str | None = None,
        table: str,
        schema: str = "",
        database: str = "",
        fail_on_severity: str | None = None,
        fail_open: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.table = table
        self.schema = schema
        self.database = database
        self.fail_on_severity = fail_on_severity
        self.fail_open = fail_open
        self._check_arguments()

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Compare, and log every finding.

        :raises AirflowFailException: the circuit breaker is open.
        """
        if self.fail_on_severity is not None:
            return self._break_or_pass(context)
        report = self._compare(context)
        if not report.findings:
            raise AirflowSkipException(_why_skipped(report))
        return report.as_dict(SHOWN_FINDINGS)

    def _compare(self, context: Mapping[str, Any]) -> DriftReport:
        with self.open_workspace(context) as workspace:
            ref = self.find_ref(workspace)
            report = drift_of(workspace, ref)
            tell_of_drift(workspace, report)
            asset = table_asset(workspace.identity, "drift", ref)
        for note in report.notes:
            self.log.info("drift of %s: %s", ref.display, note)
        for finding in report.findings:
            self.log.warning("%s drift of %s: %s", finding.severity, ref.display, finding)
        if report.findings and is_outlet(asset, self.outlets):
            set_event_extra(context, asset, report.as_dict(SHOWN_FINDINGS))
        return report

    def _break_or_pass(self, context: Mapping[str, Any]) -> dict[str, Any]:
        try:
            report = self._compare(context)
        except _CANNOT_JUDGE as error:
            if not self.fail_open:
                raise
            return self._let_pass(str(error), None)
        worst, limit = SEVERITIES.index(report.severity), SEVERITIES.index(self.fail_on_severity or NONE)
        if worst >= limit:
            context["ti"].xcom_push(key="drift_report", value=report.as_dict(SHOWN_FINDINGS))
            raise AirflowFailException(
                f"{report.ref.display} drifted from run {report.previous_run_id}, with severity {report.severity}: "
                + "; ".join(str(finding) for finding in report.findings[:SHOWN_FINDINGS])
            )
        if report.previous_run_id is None and not report.findings:
            if not self.fail_open:
                raise AirflowFailException(f"{_why_skipped(report)}, and fail_open is false")
            return self._let_pass(_why_skipped(report), report)
        self.log.info("%s may pass: %s", report.ref.display, _why_skipped(report) if not worst else report.severity)
        return {**report.as_dict(SHOWN_FINDINGS), "judged": True}

    def _let_pass(self, why: str, report: DriftReport | None) -> dict[str, Any]:
        self.log.warning("not judged, and let pass since fail_open is true: %s", why)
        return {**(report.as_dict(SHOWN_FINDINGS) if report else {}), "judged": False, "why": why}

    def _check_arguments(self) -> None:
        if self.fail_on_severity is None:
            return
        allowed = [severity for severity in SEVERITIES if severity != NONE]
        if self.fail_on_severity not in allowed:
            raise ConfigError(
                f"task {self.task_id}: fail_on_severity {self.fail_on_severity!r} is not allowed; use "
                f"{', '.join(allowed)}"
            )
        if not isinstance(self.fail_open, bool):
            raise ConfigError(
                f"task {self.task_id}: fail_on_severity needs fail_open; say whether a table that cannot be judged may "
                "pass (True) or not (False)"
            )
        if any(kind_of(getattr(outlet, "uri", "")) == "drift" for outlet in self.outlets):
            raise ConfigError(
                f"task {self.task_id}: a circuit breaker succeeds when nothing drifted, and with a drift asset as its "
                "outlet would tell the opposite; take the outlet away"
            )


def _why_skipped(report: DriftReport) -> str:
    name, notes = report.ref.display, "; ".join(report.notes)
    if report.previous_run_id is not None:
        return f"{name} did not drift from run {report.previous_run_id}"
    return f"{name} is not compared: {notes}" if notes else f"{name} has no earlier profile to compare with"
