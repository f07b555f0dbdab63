"""The project's own tables: the ledger of changes, the baselines and the results."""

from __future__ import annotations

from profilemesh_airflow.store.adopt import Adoption, EarlierResults
from profilemesh_airflow.store.history import EARLIER, OWN, StoredProfile, StoredRun
from profilemesh_airflow.store.ledger import Ledger
from profilemesh_airflow.store.legacy_copy import Copied, LeftOut
from profilemesh_airflow.store.profiles import RunRecord
from profilemesh_airflow.store.reconcile import LedgerView
from profilemesh_airflow.store.results import Results
from profilemesh_airflow.store.schema import TableNames
from profilemesh_airflow.store.store import Store

__all__ = [
    "EARLIER",
    "OWN",
    "Adoption",
    "Copied",
    "EarlierResults",
    "Ledger",
    "LedgerView",
    "LeftOut",
    "Results",
    "RunRecord",
    "Store",
    "StoredProfile",
    "StoredRun",
    "TableNames",
]
