"""Notes on DAG runs, where a task reaches them in Airflow's own database: 2.5 to 2.11.

Before, runs have no notes; from 3.0 on a task reaches Airflow only by an API that does not offer them.
"""

from __future__ import annotations

from profilemesh_airflow.compat.airflow import find


def write_note(dag_id: str, run_id: str, text: str) -> None:
    """Write the note of a DAG run, unless it has one; where runs have no notes, nothing is done."""
    run_class = find("airflow.models.dagrun", "DagRun")
    if not hasattr(run_class, "note"):
        return
    with find("airflow.utils.session", "create_session")() as session:
        run = session.query(run_class).filter_by(dag_id=dag_id, run_id=run_id).one()
        if not run.note:
            run.note = text
