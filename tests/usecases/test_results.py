from __future__ import annotations

import pytest

from profilemesh_airflow.exceptions import ProfileError, UnknownTableError
from profilemesh_airflow.usecases.results import latest_profile
from tests.earlier import AMOUNT, earlier_in


def latest(project, name):
    with project.open() as workspace:
        return latest_profile(workspace, name)


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
