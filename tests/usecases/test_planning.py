from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from profilemesh_airflow.exceptions import ConfigError, UnknownTableError, WarehouseError
from profilemesh_airflow.usecases.plan_document import diff_document, plan_document
from profilemesh_airflow.usecases.planning import build_plan, detect, offline_plan


def test_an_offline_plan_knows_the_settings_and_nothing_of_the_database(shop):
    shop.source.unlink()

    with shop.open() as workspace:
        plan = offline_plan(workspace)

    assert [entry.key for entry in plan.entries] == ["orders", "users", "items"]
    assert all(entry.fingerprint.settings for entry in plan.entries)
    assert {(entry.fingerprint.schema, entry.fingerprint.data) for entry in plan.entries} == {(None, None)}
    assert not shop.source.exists()


def test_a_plan_knows_schema_and_data_of_every_table(shop):
    with shop.open() as workspace:
        plan = build_plan(workspace)

    assert plan.by_key["orders"].schema_document == {"id": "INTEGER", "amount": "REAL", "note": "TEXT"}
    assert all(all(entry.fingerprint.as_dict().values()) for entry in plan.entries)
    assert plan.warnings == ()


def test_the_settings_are_the_same_offline(shop):
    with shop.open() as workspace:
        offline, online = offline_plan(workspace), build_plan(workspace)

    assert [e.fingerprint.settings for e in offline.entries] == [e.fingerprint.settings for e in online.entries]


def test_a_missing_table_stays_in_the_plan_with_a_warning(shop):
    shop.configure("orders", "ghost")

    with shop.open() as workspace:
        plan = build_plan(workspace)

    assert [(entry.key, entry.missing) for entry in plan.entries] == [("orders", False), ("ghost", True)]
    (warning,) = plan.warnings
    assert warning.startswith(f"table ghost was not found in sqlite file {shop.source}")


def test_a_look_at_some_tables_plans_only_those(shop):
    with shop.open() as workspace:
        assert [entry.key for entry in build_plan(workspace, workspace.refs[1:2]).entries] == ["users"]


def test_the_age_at_which_a_table_is_stale_is_its_own_or_else_that_of_its_interval(shop):
    shop.configure(
        "users",
        {"table": "orders", "profile_after": "2h"},
        "items",
        incremental={
            "enabled": True,
            "adaptive_scheduling": {"priority_overrides": {"ITEMS": 90, "orders": 90}},
        },
    )
    with shop.open() as workspace:
        ages = {entry.key: entry.profile_after for entry in build_plan(workspace).entries}

    assert ages == {"users": None, "orders": timedelta(hours=2), "items": timedelta(minutes=90)}


@pytest.mark.parametrize("names", [["ordres"], ["orders", "nothing"]])
def test_a_name_that_nobody_lists_is_refused_before_anything_is_read(shop, names):
    shop.source.unlink()

    with shop.open() as workspace, pytest.raises(UnknownTableError):
        detect(workspace, names)


def test_a_source_file_that_is_not_there_is_an_error_and_is_not_made(shop):
    shop.source.unlink()

    with shop.open() as workspace, pytest.raises(WarehouseError, match=str(shop.source)):
        build_plan(workspace)
    assert not shop.source.exists()


def test_a_connection_id_without_airflow_is_an_error_of_the_configuration(shop):
    from profilemesh_airflow.config import load_config
    from profilemesh_airflow.usecases.workspace import Workspace

    shop.configure("orders", source={"name": "shop", "conn_id": "warehouse"})

    with Workspace(load_config(shop.config)) as workspace, pytest.raises(ConfigError, match="'warehouse'"):
        build_plan(workspace)


def test_the_documents_have_exactly_the_promised_keys(shop):
    shop.profile("orders")
    shop.configure({"table": "orders", "metrics": ["count"]}, {"table": "a.b", "schema": "main"})
    with shop.open() as workspace:
        detection = detect(workspace)
    plan, diff = plan_document(detection.plan), diff_document(detection.diff)

    assert plan.keys() == {"environment", "source", "tables", "warnings"}
    assert (plan["environment"], plan["source"]) == ("test", "shop")
    assert plan["tables"][1] == {
        "table_key": "main.a%2Eb",
        "schema": "main",
        "table": "a.b",
        "asset_uri": "profilemesh://test/shop/change/main/a%2Eb",
        "metrics": plan["tables"][1]["metrics"],
        "partition": None,
        "sampling": None,
        "fingerprint": {
            "settings": plan["tables"][1]["fingerprint"]["settings"],
            "schema": None,
            "data": None,
        },
    }
    assert plan["tables"][0]["metrics"] == ["count"]
    assert len(plan["warnings"]) == 1
    assert diff.keys() == {"changes", "removed", "unchanged"}
    assert diff["unchanged"] == 0
    assert [change.keys() for change in diff["changes"]] == [{"table_key", "reasons"}] * 2
    assert diff["changes"][0]["reasons"][0].keys() == {"kind", "field", "before", "after"}


@pytest.mark.parametrize(("tables", "queries"), [(["orders", "users", "items"], 2), ([{"table": "*"}], 3)])
def test_an_unchanged_plan_takes_two_queries_of_the_database_and_one_more_to_list_it(shop, tables, queries):
    shop.configure(*tables)
    shop.profile()
    sent = []

    with shop.open() as workspace:
        engine = workspace.warehouse._engine(None)
        event.listen(engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
        assert len(detect(workspace).diff.unchanged) == 3

    assert len([statement for statement in sent if statement != "BEGIN"]) == queries
