"""The project's own tables: the ledger of changes, the baselines and the results."""

from __future__ import annotations

from profilemesh_airflow.store.ledger import Ledger
from profilemesh_airflow.store.profiles import RunRecord, StoredProfile
from profilemesh_airflow.store.reconcile import LedgerView
from profilemesh_airflow.store.results import Results, StoredRun
from profilemesh_airflow.store.schema import TableNames
from profilemesh_airflow.store.store import Store

__all__ = ["Ledger", "LedgerView", "Results", "RunRecord", "Store", "StoredProfile", "StoredRun", "TableNames"]
