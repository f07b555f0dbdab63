"""Drift as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException
from profilemesh_airflow.operators.base import ProfileMeshSingleTableOperator
from profilemesh_airflow.usecases.results import drift_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A report lists so many findings, the worst first, and counts the others.
SHOWN_FINDINGS = 20


class ProfileMeshDriftOperator(ProfileMeshSingleTableOperator):
    """Compares a table's latest profile with its previous one; skipped when nothing drifted.

    The report is returned, and is the extra of the event on the table's ``drift`` asset where that is an outlet.

    :param config_path: path of the ProfileMesh configuration (templated).
    :param table: the table's name (templated).
    :param schema: its schema, if the configuration gives one (templated).
    :param database: its database, if the configuration gives one (templated).
    """

    def __init__(self, *, config_path: str, table: str, schema: str = "", database: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_path = config_path
        self.table = table
        self.schema = schema
        self.database = database

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Compare, log every finding, and succeed only when there is one."""
        with self.open_workspace() as workspace:
            ref = self.find_ref(workspace)
            report = drift_of(workspace, ref)
            asset = table_asset(workspace.identity, "drift", ref)
        if report.previous_run_id is None:
            raise AirflowSkipException(f"{ref.display} has no earlier profile to compare with")
        if not report.findings:
            raise AirflowSkipException(f"{ref.display} did not drift from run {report.previous_run_id}")
        for finding in report.findings:
            self.log.warning(
                "%s drift of %s %s: %s -> %s",
                finding.severity,
                f"column {finding.column}" if finding.column else "table",
                finding.metric,
                finding.before,
                finding.after,
            )
        document = report.as_dict(SHOWN_FINDINGS)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = document
        return document
