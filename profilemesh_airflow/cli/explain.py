"""``explain``: why a table was profiled, each time, and why it is, or is not, profiled now. It never writes."""

from __future__ import annotations

import click

from profilemesh_airflow.cli.airflow import AirflowAddress, airflow_options
from profilemesh_airflow.cli.session import Session, report_options


@click.command()
@click.argument("table")
@click.option(
    "--limit", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many past changes, at most."
)
@click.option("--offline", is_flag=True, help="Do not read the profiled database: the answer is by the ledger alone.")
@airflow_options
@report_options
def explain(session: Session, table: str, limit: int, offline: bool, airflow: AirflowAddress) -> None:
    """Say why TABLE was profiled, each time, and why it is, or is not, profiled now.

    TABLE is a table key, or a name that only one table has; it may have left the configuration since.

    For now and for each past change: what differed, field by field, when that was seen, how often the table was rung
    for, who took it, which DAG run profiled it, and how much it had to read. With --airflow, also whether the table's
    DAG is there and not paused. Writes nothing.
    """
    from profilemesh_airflow.cli import explain_view
    from profilemesh_airflow.cli.progress import logged, waiting
    from profilemesh_airflow.usecases.explain import explain_table

    with session.workspace() as workspace, logged(session), airflow.open(session) as api:
        session.warn(workspace.config.warnings)
        with waiting("looking"):
            explanation = explain_table(workspace, table, limit=limit, offline=offline, api=api)
        session.report(
            explanation.as_dict,
            lambda: explain_view.as_markdown(explanation),
            lambda: explain_view.show(explanation),
        )
