"""The project's own tables: the ledger of changes, the baselines and the results."""

from __future__ import annotations

from profilemesh_airflow.store.adopt import Adoption, EarlierResults
from profilemesh_airflow.store.event_store import EventStore
from profilemesh_airflow.store.events import EventLog, StoredEvent
from profilemesh_airflow.store.history import EARLIER, OWN, StoredProfile, StoredRun
from profilemesh_airflow.store.ledger import Ledger
from profilemesh_airflow.store.legacy_copy import Copied, LeftOut
from profilemesh_airflow.store.profiles import RunRecord
from profilemesh_airflow.store.reconcile import LedgerView, Steps, Writes
from profilemesh_airflow.store.results import Results
from profilemesh_airflow.store.schema import TableNames
from profilemesh_airflow.store.store import Store

__all__ = [
    "EARLIER",
    "OWN",
    "Adoption",
    "Copied",
    "EarlierResults",
    "EventLog",
    "EventStore",
    "Ledger",
    "LedgerView",
    "LeftOut",
    "Results",
    "RunRecord",
    "Steps",
    "Store",
    "StoredEvent",
    "StoredProfile",
    "StoredRun",
    "TableNames",
    "Writes",
]
