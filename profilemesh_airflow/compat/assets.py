"""Assets on every release: making them, publishing on them, and reading what a task is handed of them."""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat import airflow
from profilemesh_airflow.compat.airflow import Asset, AssetAlias
from profilemesh_airflow.compat.capabilities import ALIAS, ANY_ASSET, DATASETS, EVENT_EXTRA, NESTED_EXTRA, TASK_SDK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from profilemesh_airflow.compat.airflow import BaseEventTrigger


def make_asset(uri: str, extra: Mapping[str, Any] | None = None) -> Asset:
    """The asset of a URI; its name, where assets have one, is the URI.

    :param extra: what is shown with the asset, where Airflow has assets at all.
    """
    if TASK_SDK.available:
        return Asset(name=uri, uri=uri, extra=dict(extra or {}))
    if DATASETS.available:
        # A Dataset (2.4 to 2.11) has no name.
        return Asset(uri, extra=dict(extra or {}))  # type: ignore[call-overload, no-any-return, unused-ignore]
    return Asset(uri)


def watched_schedule(
    uri: str, extra: Mapping[str, Any], watcher: str, trigger: BaseEventTrigger, cron: str | None
) -> Any:
    """A schedule of an asset that a trigger watches (3.0 and later), or of a cron expression, too.

    :param watcher: its name.
    """
    asset = Asset(name=uri, uri=uri, extra=dict(extra), watchers=[airflow.AssetWatcher(name=watcher, trigger=trigger)])
    if cron is None:
        return [asset]
    return airflow.AssetOrTimeSchedule(timetable=airflow.CronTriggerTimetable(cron, timezone="UTC"), assets=[asset])


def make_alias(name: str) -> AssetAlias:
    """The alias of a name."""
    return AssetAlias(name=name)


def asset_of_others(uri: str) -> Any:
    """What schedules a DAG on an asset that others declare.

    Since 3.0 an asset has a name beside its URI, and of two with one URI and different names only one works: theirs is
    referred to by its URI, whatever its name is.
    """
    asset = make_asset(uri)
    return Asset.ref(uri=asset.uri) if TASK_SDK.available else asset


def on_any(first: Asset, *others: Any) -> Any:
    """The schedule of a DAG that an event of any of the assets starts; before 2.9, of the first one alone."""
    return reduce(or_, others, first) if others and ANY_ASSET.available else [first]


def outlets(*assets: Asset | AssetAlias) -> list[Asset | AssetAlias]:
    """Those of the assets that a task of the installed Airflow can have as outlets.

    Before 2.4 an outlet is something else (an entity of a lineage backend); before 2.10 there is no alias.
    """
    fit = [Asset] * DATASETS.available + [AssetAlias] * ALIAS.available
    return [asset for asset in assets if isinstance(asset, tuple(fit))]


def is_outlet(asset: Asset, outlets: Sequence[Any]) -> bool:
    """Whether an asset is among a task's outlets."""
    return any(isinstance(outlet, Asset) and outlet.uri == asset.uri for outlet in outlets)


def set_event_extra(context: Mapping[str, Any], asset: Asset, extra: Mapping[str, Any]) -> None:
    """Give the event that a task's success publishes on an outlet its extra.

    Before 2.10 an event has none, and nothing is done: what is said here is also in the store.
    """
    if EVENT_EXTRA.available:
        context["outlet_events"][asset].extra = dict(extra)


def add_event(context: Mapping[str, Any], alias: AssetAlias, asset: Asset, extra: Mapping[str, Any]) -> None:
    """Publish an event on an asset through an alias that is an outlet of the task (2.10 and later).

    2.10, 2.11 and 3.0 fail the task that gives such an event anything but plain values: there, lists and mappings are
    JSON.
    """
    if not NESTED_EXTRA.available:
        extra = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in extra.items()}
    context["outlet_events"][alias].add(asset, extra=dict(extra))


def triggering_events(context: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The asset events that started the run, by URI; of an Airflow without Datasets there are none."""
    found = context.get("triggering_asset_events" if TASK_SDK.available else "triggering_dataset_events") or {}
    # 3.x lists aliases too, with the same events again; Airflow 2 has the URI itself as the key.
    by_uri = [(key if isinstance(key, str) else getattr(key, "uri", None), events) for key, events in found.items()]
    return {uri: list(events) for uri, events in by_uri if uri is not None}


def started_by_assets(context: Mapping[str, Any]) -> bool:
    """Whether asset events started the run; those of assets that it refers to by URI alone, Airflow 3 does not name."""
    run_type = getattr(context.get("dag_run"), "run_type", None)
    return str(getattr(run_type, "value", run_type)) in ("asset_triggered", "dataset_triggered")
