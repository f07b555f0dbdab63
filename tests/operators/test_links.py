"""The button that leads from a task to its table's results."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from profilemesh_airflow import ProfileMeshTableOperator
from profilemesh_airflow.compat.airflow import AirflowSkipException, XCom
from profilemesh_airflow.compat.capabilities import DATASETS, TASK_SDK
from profilemesh_airflow.config import load_config
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.operators.links import RESULTS_LINK
from tests.operators.tasks import Context, profile


def test_it_leads_to_the_page_of_the_tables_asset_whose_events_tell_of_each_profile(shop):
    context = Context()
    profile(shop, "orders", context)
    address = context.xcom.get("profilemesh_results_url")

    quoted = "profilemesh%3A%2F%2Ftest%2Fshop%2Fprofile%2Forders"
    if TASK_SDK.available:
        assert address.endswith(f"/assets?name_pattern={quoted}")
    elif DATASETS.available:
        assert address.endswith(f"/datasets?uri={quoted}")
    else:
        assert address is None


def test_it_leads_to_an_address_of_ones_own_with_the_names_quoted(shop):
    address = "results_url: 'https://dash/t?e={environment}&s={source}&k={table_key}&t={schema}.{table}'"
    text = Path(shop.config).read_text().replace("{table: orders}", "{table: 'a b&c'}")
    Path(shop.config).write_text(f"{text}airflow: {{{address}}}\n")
    shop.run('CREATE TABLE "a b&c" (id INTEGER)')
    context = Context()
    profile(shop, "a b&c", context)

    assert context.xcom["profilemesh_results_url"] == "https://dash/t?e=test&s=shop&k=a%2520b%2526c&t=.a%20b%26c"


def test_it_is_there_before_the_work_so_that_a_skipped_task_has_it_too(shop):
    profile(shop, "orders")
    context = Context()
    with pytest.raises(AirflowSkipException):
        profile(shop, "orders", context, changed_only=True)
    assert "profilemesh_results_url" in context.xcom or not DATASETS.available


@pytest.mark.parametrize("wrong", ["dashboard", "https://dash/{tabel}", "https://dash/{", "javascript:alert(1)", 5])
def test_an_address_that_is_none_is_refused(shop, wrong):
    Path(shop.config).write_text(f"{Path(shop.config).read_text()}airflow: {{results_url: {wrong!r}}}\n")
    with pytest.raises(ConfigError, match="results_url"):
        load_config(shop.config)


def test_the_button_reads_what_the_task_left(monkeypatch):
    key = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)
    left = {"profilemesh_results_url": "https://dash/orders"}
    monkeypatch.setattr(XCom, "get_value", lambda *, ti_key, key: left.get(key))
    assert RESULTS_LINK.get_link(None, ti_key=key) == "https://dash/orders"
    left.clear()
    assert RESULTS_LINK.get_link(None, ti_key=key) == ""


def test_the_task_has_the_button():
    assert RESULTS_LINK in ProfileMeshTableOperator.operator_extra_links
    assert RESULTS_LINK.name == "Profile results"
