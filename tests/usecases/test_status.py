from __future__ import annotations

import pytest

from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.refresh import deferred, record
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


def test_a_table_is_claimed_while_a_worker_has_a_lease(shop, travel):
    shop.configure("orders", "users", airflow={"lease": "1h"})
    shop.refresh()
    with shop.open() as workspace:
        workspace.ledger.claim("orders", "somebody")

    assert [status.state for status in states(shop).values()] == ["claimed", "open"]
    travel(hours=1)
    assert [status.state for status in states(shop).values()] == ["open", "open"]


def test_a_claim_whose_lease_ran_out_is_shown_as_the_failed_attempt_that_the_next_look_makes_of_it(shop, travel):
    shop.configure("orders", "users", airflow={"lease": "1h", "max_attempts": 1})
    shop.refresh()
    with shop.open() as workspace:
        workspace.ledger.claim("orders", "somebody")
    travel(hours=1)

    shown = states(shop)["orders"]
    shop.refresh()

    assert (shown.state, shown.attempts) == ("parked", 1)
    assert shown.last_error.startswith("no sign of life from somebody")
    assert states(shop)["orders"] == shown


def ring(project):
    """Refresh as the DAG does: the keys of the tables that are rung."""
    with project.open() as workspace:
        rung = record(workspace, detect(workspace), workspace.policy.budget)
        workspace.ledger.mark_rung([entry.change_id for entry in rung])
        return [entry.key for entry in rung]


def places(project):
    return {key: (status.state, status.queue_place) for key, status in states(project).items()}


def test_what_a_refresh_had_no_budget_for_is_deferred_with_its_place_in_the_queue(shop):
    shop.configure("orders", {"table": "users", "priority": -1}, "items", airflow={"budget": {"tables": 1}})

    assert ring(shop) == ["items"]
    assert places(shop) == {"orders": ("deferred", 1), "users": ("deferred", 2), "items": ("open", None)}
    assert ring(shop) == ["orders"]
    assert places(shop) == {"orders": ("open", None), "users": ("deferred", 1), "items": ("open", None)}
    assert ring(shop) == ["users"]
    assert set(places(shop).values()) == {("open", None)}


def test_the_queue_is_the_one_that_the_next_refresh_rings_by(shop):
    names = [f"t{number}" for number in range(7)]
    shop.sql(*(f"CREATE TABLE {name} (id INTEGER)" for name in names))
    tables = [{"table": name, "priority": number % 3} for number, name in enumerate(names)]
    shop.configure(*tables, airflow={"budget": {"tables": 2}})
    ring(shop)

    for _ in range(3):
        queued = {place: key for key, (_, place) in places(shop).items() if place}
        assert sorted(queued) == list(range(1, len(queued) + 1))
        assert ring(shop) == [queued[place] for place in (1, 2) if place in queued]
    assert not any(place for _, place in places(shop).values())


def test_what_a_refresh_is_about_to_ring_waits_no_longer_and_stands_in_the_queue_until_it_is_rung(shop):
    shop.configure("items", "orders", "users", airflow={"budget": {"tables": 1}})
    ring(shop)
    with shop.open() as workspace:
        (chosen,) = record(workspace, detect(workspace), workspace.policy.budget)
        assert chosen.key == "orders"
        assert [entry.key for entry in deferred(workspace, [chosen])] == ["users"]

    assert places(shop) == {"items": ("open", None), "users": ("deferred", 1), "orders": ("deferred", 2)}


def test_whatever_the_next_refresh_may_ring_counts_in_the_queue(shop):
    shop.configure("items", "orders", airflow={"budget": {"tables": 1}})
    ring(shop)
    shop.configure("items", "orders", {"table": "users", "priority": 10})
    with shop.open() as workspace:
        record(workspace, detect(workspace, ["users"]))

    assert places(shop) == {"items": ("open", None), "users": ("open", None), "orders": ("deferred", 2)}


def test_a_change_of_a_table_that_left_the_configuration_has_no_place_in_the_queue(shop):
    shop.configure("items", "orders", "users", airflow={"budget": {"tables": 1}})
    ring(shop)
    shop.configure("users")

    assert places(shop) == {"users": ("deferred", 1)}


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

    assert list(document) == [
        "table_key",
        "state",
        "reasons",
        "attempts",
        "last_profiled_at",
        "last_run_id",
        "queue_place",
        "postponed",
    ]
    assert document["attempts"] == (1 if key == "ghost" else 0)
    assert (document["last_profiled_at"] is None) == (key == "ghost")
