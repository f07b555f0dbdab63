from __future__ import annotations

import pytest

from profilemesh_airflow.exceptions import NotBuiltError, ProfileError, UnknownTableError
from profilemesh_airflow.usecases.results import drift_of, latest_profile
from tests.earlier import AMOUNT, earlier_in


def latest(project, name):
    with project.open() as workspace:
        return latest_profile(workspace, name)


def drift(project, key):
    with project.open() as workspace:
        return drift_of(workspace, next(ref for ref in workspace.refs if ref.key == key))


def test_the_latest_profile_is_what_was_profiled_last(shop):
    first = shop.profile("users")["users"]
    shop.sql("INSERT INTO users VALUES (3, NULL)")
    second = shop.profile("users")["users"]

    found = latest(shop, "users")

    assert found.run_id == second.run_id != first.run_id
    assert found.row_count == 3
    assert found.columns == second.profile.columns
    assert found.profiled_at == second.profiled_at


def test_a_table_that_was_never_profiled_has_no_results(shop):
    with pytest.raises(ProfileError, match="table orders was not profiled yet; `profilemesh-airflow status` says why"):
        latest(shop, "orders")


def test_a_name_that_nobody_lists_is_refused(shop):
    with pytest.raises(UnknownTableError, match="did you mean orders"):
        latest(shop, "ordres")


def test_a_first_run_has_no_drift(shop):
    run_id = shop.profile()["orders"].run_id

    assert drift(shop, "orders").as_dict() == {
        "table_key": "orders",
        "run_id": run_id,
        "previous_run_id": None,
        "previous_origin": None,
        "severity": None,
        "drifted": 0,
        "findings": [],
    }


def test_a_table_is_compared_with_its_own_previous_run_and_no_others(shop):
    shop.configure({"table": "orders", "metrics": ["count"]}, {"table": "items", "metrics": ["count"]})
    first = shop.profile("orders")["orders"].run_id
    shop.profile("items")
    shop.sql("INSERT INTO orders VALUES (4, 1, 'd'), (5, 1, 'e'), (6, 1, 'f')")
    second = shop.profile("orders")["orders"].run_id

    report = drift(shop, "orders")

    assert (report.run_id, report.previous_run_id, report.severity) == (second, first, "high")
    assert report.previous_origin == "profilemesh-airflow"
    assert report.as_dict()["findings"] == [
        {
            "column": None,
            "metric": "count",
            "before": 3,
            "after": 6,
            "change_percent": 100.0,
            "severity": "high",
        }
    ]


def test_the_report_lists_the_worst_findings_and_counts_all(shop):
    shop.profile()
    shop.sql("INSERT INTO orders VALUES (4, 1000, 'd'), (50, 2000, 'long note'), (60, 3000, 'f')")
    shop.profile()

    report = drift(shop, "orders")

    assert len(report.findings) > 2
    assert report.as_dict(limit=2)["findings"] == [finding.as_dict() for finding in report.findings[:2]]
    assert report.as_dict(limit=2)["drifted"] == len(report.findings)


def test_an_unchanged_table_does_not_drift(shop):
    shop.profile()
    shop.profile()

    assert drift(shop, "orders").findings == ()
    assert drift(shop, "orders").severity is None


def test_drift_by_a_strategy_that_is_not_built_is_refused(shop):
    shop.profile()
    shop.configure("orders", drift_detection={"strategy": "ml_based"})

    with pytest.raises(NotBuiltError, match="ml_based"):
        drift(shop, "orders")


def test_looking_makes_no_store(shop):
    with pytest.raises(ProfileError, match="was not profiled yet"):
        latest(shop, "orders")

    assert not shop.store.exists()


def test_a_table_that_only_the_earlier_integration_profiled_has_that_profile(shop):
    earlier_in(shop.store).profile("old", "orders", {("amount", "REAL"): AMOUNT}, schema=None)
    before = shop.digest()

    found = latest(shop, "orders")

    assert (found.run_id, found.origin, found.row_count) == ("old", "earlier integration", 3)
    assert shop.digest() == before
    with pytest.raises(ProfileError, match="table users was not profiled yet"):
        latest(shop, "users")


def test_the_first_profile_is_compared_with_the_last_of_the_earlier_integration(shop):
    earlier = earlier_in(shop.store)
    earlier.profile("old", "orders", {("amount", "REAL"): {**AMOUNT, "mean": "17.5"}}, schema=None, row_count=1)
    ours = shop.profile("orders")["orders"].run_id

    report = drift(shop, "orders")

    assert (report.run_id, report.previous_run_id, report.previous_origin) == (ours, "old", "earlier integration")
    assert [(each.column, each.metric, each.before, each.after, each.severity) for each in report.findings] == [
        (None, "count", 1, 3, "high"),
        ("amount", "mean", 17.5, 8.75, "high"),
    ]

    shop.profile("orders")
    assert drift(shop, "orders").previous_run_id == ours


def test_a_row_count_that_the_earlier_integration_did_not_keep_is_not_compared(shop):
    earlier_in(shop.store).profile("old", "orders", {("id", "INTEGER"): {"max": "3"}}, schema=None, row_count=None)
    shop.profile("orders")

    assert drift(shop, "orders").findings == ()
    assert drift(shop, "orders").previous_run_id == "old"
