"""The operators as tasks: the smallest context that they need."""

from __future__ import annotations

from types import SimpleNamespace

from airflow.sdk.execution_time.context import OutletEventAccessors

from profilemesh_airflow import (
    ProfileMeshDetectOperator,
    ProfileMeshProfilingOperator,
    ProfileMeshRingOperator,
    ProfileMeshTableOperator,
)
from profilemesh_airflow.assets import changes_alias
from profilemesh_airflow.core.plan import Identity

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
        super().__init__(ti=instance, run_id="run", dag_run=run, params=params, outlet_events=OutletEventAccessors())


def refresh(shop, **params):
    return ProfileMeshDetectOperator(task_id="detect", config_path=shop.config).execute(Context(**params))


def ring(shop, chunk):
    context = Context()
    ProfileMeshRingOperator(task_id="ring", config_path=shop.config, change_ids=chunk).execute(context)
    return context["outlet_events"][changes_alias(IDENTITY)].asset_alias_events


def profile(shop, table, context=None, **arguments):
    operator = ProfileMeshTableOperator(task_id="profile", config_path=shop.config, table=table, **arguments)
    return operator.execute(context or Context())


def profile_all(shop, context=None, **arguments):
    operator = ProfileMeshProfilingOperator(task_id="all", config_path=shop.config, **arguments)
    return operator.execute(context or Context())
