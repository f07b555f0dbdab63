"""What the adoption's tests share: the earlier integration's tables with every defect, and what is seen of them."""

from __future__ import annotations

from sqlalchemy import inspect

from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.store import Store
from profilemesh_airflow.store.engine import make_engine
from tests.earlier import AMOUNT

IDENTITY = Identity("test", "warehouse")
PRODUCTION = Identity("production", "warehouse")
REFS = (TableRef("orders", "sales"), TableRef("orders", "hr"), TableRef("items"), TableRef("users", "sales", "shop"))
ID = ("id", "INTEGER")
RENAMED = {
    "profilemesh_runs": "profilemesh_runs_legacy",
    "profilemesh_results": "profilemesh_results_legacy",
    "profilemesh_runs_airflow": "profilemesh_runs",
    "profilemesh_results_airflow": "profilemesh_results",
}


def fill(earlier, **options):
    """Its tables, with every defect that it had."""
    earlier.profile("r1", "orders", {("amount", "NUMERIC"): AMOUNT, ("note", "TEXT"): {"min": "007"}}, **options)
    earlier.profile("r1", "orders", {ID: {"count": "100"}}, schema="hr", row_count=100, **options)
    retried = {"at": "2024-01-02 10:00:00", **options}
    earlier.profile("r2", "orders", {ID: {"count": "3", "max": "3"}, ("gone", "TEXT"): {"count": "3"}}, **retried)
    earlier.profile("r2", "orders", {ID: {"count": "4", "max": "4"}}, **{**retried, "at": "2024-01-02 10:05:00"})
    earlier.profile("r3", "items", {ID: {"error": "no such function"}}, schema=None, row_count=None, **options)
    earlier.profile("r4", "items", {}, schema=None, status="failed", at="2024-01-03 10:00:00", **options)
    earlier.profile("r5", "orders", {ID: {"count": "9"}}, environment="production", **options)
    earlier.profile("r6", "users", {ID: {"count": "1"}}, **options)
    earlier.profile("r7", "elsewhere", {ID: {"count": "1"}}, **options)


def history_of(store):
    """All that can be read, of every table in both environments."""
    return [
        (results.latest(ref.key), [(run, results.profile(run.run_id, ref.key)) for run in results.runs(ref.key)])
        for identity in (IDENTITY, PRODUCTION)
        for results in [store.results(identity, REFS)]
        for ref in REFS
    ]


def tables_of(settings):
    engine = make_engine(settings)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def adopt_in(settings):
    with Store(settings) as store:
        return store.adopt(IDENTITY, REFS)
