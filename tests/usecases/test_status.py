from __future__ import annotations

import time

import pytest

from profilemesh_airflow.usecases.status import table_states


def states(project):
    with project.open() as workspace:
        return {status.ref.key: status for status in table_states(workspace)}


def test_a_table_that_was_never_looked_at_is_open_since_it_is_new(shop):
    found = states(shop)["orders"]

    assert (found.state, [str(reason) for reason in found.reasons], found.last_profiled_at) == ("open", ["added"], None)
    assert shop.digest() == {}


def test_a_profiled_table_is_current_and_a_changed_one_is_open_after_the_next_refresh(shop):
    run_id = shop.profile()["orders"].run_id
    shop.sql("INSERT INTO orders VALUES (9, 1, 'x')")

    before = states(shop)["orders"]
    shop.refresh()
    after = states(shop)["orders"]

    assert (before.state, before.reasons, before.last_run_id) == ("current", (), run_id)
    assert (after.state, [reason.kind for reason in after.reasons], after.last_run_id) == ("open", ["data"], run_id)
    assert after.last_profiled_at == before.last_profiled_at


def test_a_table_is_claimed_while_a_worker_has_a_lease(shop):
    shop.configure("orders", "users", airflow={"lease": "2s"})
    shop.refresh()
    with shop.open() as workspace:
        workspace.ledger.claim("orders", "somebody")

    assert [status.state for status in states(shop).values()] == ["claimed", "open"]
    time.sleep(2.1)
    assert [status.state for status in states(shop).values()] == ["open", "open"]


def test_a_table_that_failed_too_often_is_parked_with_its_last_error(shop):
    shop.configure("orders", "ghost", airflow={"max_attempts": 1})
    shop.profile(changed_only=True)

    found = states(shop)["ghost"]
    assert (found.state, found.attempts) == ("parked", 1)
    assert found.last_error.startswith("table ghost was not found")


def test_a_table_that_left_the_plan_is_not_listed(shop):
    shop.profile()
    shop.configure("users")

    assert list(states(shop)) == ["users"]


@pytest.mark.parametrize("key", ["orders", "ghost"])
def test_a_status_is_json_with_the_same_keys_in_every_state(shop, key):
    shop.configure("orders", "ghost", "users")
    shop.profile(changed_only=True)

    document = states(shop)[key].as_dict()

    assert list(document) == ["table_key", "state", "reasons", "attempts", "last_profiled_at", "last_run_id"]
    assert document["attempts"] == (1 if key == "ghost" else 0)
    assert (document["last_profiled_at"] is None) == (key == "ghost")
