"""Assets, whatever the installed Airflow calls them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from profilemesh_airflow.compat.airflow import Asset, AssetAlias
from profilemesh_airflow.compat.assets import (
    add_event,
    asset_of_others,
    is_outlet,
    make_alias,
    make_asset,
    on_any,
    outlets,
    set_event_extra,
    started_by_assets,
    triggering_events,
)
from profilemesh_airflow.compat.capabilities import ALIAS, ANY_ASSET, DATASETS, EVENT_EXTRA, NESTED_EXTRA, TASK_SDK
from tests.capable import lacks, needs

URI = "profilemesh://prod/shop/change/sales/orders"


def test_an_asset_has_the_uri_it_was_made_of_on_every_airflow():
    assert make_asset(URI).uri == URI


def test_outlets_are_what_the_installed_airflow_can_publish_on():
    asset, alias = make_asset(URI), make_alias("profilemesh://prod/shop/changes")
    assert outlets(asset, alias) == [asset] * DATASETS.available + [alias] * ALIAS.available
    assert (isinstance(asset, Asset), isinstance(alias, AssetAlias)) == (True, True)


def test_an_asset_is_known_among_the_outlets_by_its_uri_alone():
    users_own = SimpleNamespace(uri=URI)
    assert is_outlet(make_asset(URI, {"table_key": "sales.orders"}), [make_alias("a"), make_asset(URI)])
    assert not is_outlet(make_asset(URI), [make_asset(f"{URI}_items"), users_own])


@lacks(EVENT_EXTRA)
def test_where_an_event_has_no_extra_none_is_set():
    set_event_extra({}, make_asset(URI), {"row_count": 1})


@needs(ALIAS)
@lacks(NESTED_EXTRA)
def test_an_event_through_an_alias_has_plain_values_where_airflow_fails_on_others():
    added = []
    accessor = SimpleNamespace(add=lambda asset, extra: added.append(extra))
    add_event({"outlet_events": {"alias": accessor}}, "alias", make_asset(URI), {"reasons": [{"kind": "data"}], "n": 1})
    assert added == [{"reasons": '[{"kind": "data"}]', "n": 1}]


@needs(DATASETS)
def test_the_events_that_started_a_run_are_found_by_uri():
    event = SimpleNamespace(extra={"n": 1})
    key = make_asset(URI) if TASK_SDK.available else URI
    # An asset is not always hashable; Airflow's own mapping takes it all the same.
    found = SimpleNamespace(items=lambda: [(make_alias("alias"), [event]), (key, [event])])
    context = {"triggering_asset_events" if TASK_SDK.available else "triggering_dataset_events": found}
    assert triggering_events(context) == {URI: [event]}


@pytest.mark.parametrize("context", [{}, {"triggering_asset_events": None, "triggering_dataset_events": None}])
def test_a_run_that_no_event_started_has_none(context):
    assert triggering_events(context) == {}


@needs(ANY_ASSET)
def test_a_dag_on_one_asset_or_another_refers_to_that_of_others_by_its_uri_alone():
    schedule = on_any(make_asset(URI), asset_of_others("s3://lake/orders"), asset_of_others("s3://lake/items"))
    assert [asset.uri for asset in schedule.objects] == [URI, "s3://lake/orders", "s3://lake/items"]
    assert not any(getattr(asset, "name", None) for asset in schedule.objects[1:])


@lacks(ANY_ASSET)
def test_where_there_is_no_such_schedule_it_is_on_the_first_asset():
    assert on_any(make_asset(URI), make_asset("s3://lake/orders")) == [make_asset(URI)]


@pytest.mark.parametrize(
    ("run_type", "by_assets"),
    [("asset_triggered", True), ("dataset_triggered", True), ("manual", False), ("scheduled", False), (None, False)],
)
def test_a_run_says_whether_assets_started_it(run_type, by_assets):
    assert started_by_assets({"dag_run": SimpleNamespace(run_type=run_type)}) is by_assets
    assert started_by_assets({"dag_run": SimpleNamespace(run_type=SimpleNamespace(value=run_type))}) is by_assets
