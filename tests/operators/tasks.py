"""The operators as tasks: the smallest context that they need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from profilemesh_airflow import (
    ProfileMeshDetectOperator,
    ProfileMeshProfilingOperator,
    ProfileMeshRingOperator,
    ProfileMeshTableOperator,
)
from profilemesh_airflow.assets import changes_alias, table_asset
from profilemesh_airflow.compat.airflow import AirflowSkipException, find
from profilemesh_airflow.compat.capabilities import ALIAS, NESTED_EXTRA
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.operators.doorbell import ProfileMeshDoorbellOperator

IDENTITY = Identity("test", "shop")


class Context(dict):
    """What a task is handed, as far as the operators look at it."""

    def __init__(self, conf=None, **params):
        self.xcom = {}
        instance = SimpleNamespace(
            dag_id="dag",
            run_id="run",
            task_id="task",
            try_number=1,
            xcom_push=lambda key, value: self.xcom.update({key: value}),
        )
        run = SimpleNamespace(conf=conf)
        super().__init__(ti=instance, run_id="run", dag_run=run, params=params)
        if ALIAS.available:
            self["outlet_events"] = _accessors()


def refresh(shop, **params):
    return ProfileMeshDetectOperator(task_id="detect", config_path=shop.config).execute(Context(**params))


@dataclass(frozen=True)
class Rung:
    """An asset event of a ring; before 2.10 it has no extra."""

    uri: str
    extra: dict[str, Any] | None

    @property
    def key(self):
        """The table's key; the URIs here need no other encoding than their keys."""
        return self.uri.removeprefix("profilemesh://test/shop/change/").replace("/", ".")


def ring(shop, chunk):
    """Ring for the changes as the refresh DAG does on this Airflow; the events that it publishes."""
    return _ring_by_alias(shop, chunk) if ALIAS.available else _ring_one_by_one(shop, chunk)


def _ring_by_alias(shop, chunk):
    context = Context()
    ProfileMeshRingOperator(task_id="ring", config_path=shop.config, change_ids=chunk).execute(context)
    accessor = context["outlet_events"][changes_alias(IDENTITY)]
    if hasattr(accessor, "asset_alias_events"):
        found = [(event.dest_asset_key.uri, event.extra) for event in accessor.asset_alias_events]
    else:
        found = [(event["dest_dataset_uri"], event["extra"]) for event in accessor.dataset_alias_events]
    if not NESTED_EXTRA.available:
        # Airflow makes a set of the values, which fails when one of them is a list.
        assert all(frozenset(extra.items()) for _, extra in found)
        found = [(uri, {**extra, "reasons": json.loads(extra["reasons"])}) for uri, extra in found]
    return [Rung(uri, extra) for uri, extra in found]


def _ring_one_by_one(shop, chunk):
    # The DAG has a task for each table of the configuration as it was when its file was parsed.
    with ProfileMeshHook(shop.config).workspace() as workspace:
        tables = {entry.ref.table for entry in workspace.ledger.entries(chunk)}
    return [event for table in sorted(tables) for event in doorbell(shop, table, [chunk])]


def doorbell(shop, table, chunks):
    """The event of one table's own ring task, if it is not skipped."""
    operator = ProfileMeshDoorbellOperator(task_id="ring", config_path=shop.config, table=table, change_ids=chunks)
    try:
        operator.execute(Context())
    except AirflowSkipException:
        return []
    return [Rung(table_asset(IDENTITY, "change", TableRef(table)).uri, None)]


def profile(shop, table, context=None, **arguments):
    operator = ProfileMeshTableOperator(task_id="profile", config_path=shop.config, table=table, **arguments)
    return operator.execute(context or Context())


def profile_all(shop, context=None, **arguments):
    operator = ProfileMeshProfilingOperator(task_id="all", config_path=shop.config, **arguments)
    return operator.execute(context or Context())


def _accessors():
    # 2.10 and 2.11 have it in the second place.
    places = ("airflow.sdk.execution_time.context", "airflow.utils.context")
    return next(filter(None, (find(place, "OutletEventAccessors") for place in places)))()
