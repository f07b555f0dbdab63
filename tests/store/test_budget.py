"""What one refresh may ring, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings, strategies as st

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.plan import TableInfo
from tests.examples import examples

ONE, TWO = Budget(tables=1), Budget(tables=2)


def deferrals(world):
    return {entry.ref.table: entry.deferrals for entry in world.ledger.open_entries().values()}


def sized(world, name, size):
    info = world.tables[f"sales.{name}"].info
    world.put(name, info=TableInfo(info.ref, info.columns, estimated_bytes=size))


def test_the_most_urgent_are_rung_and_the_others_wait(world):
    world.put("a", "b", "c", "d")
    world.put("c", priority=5)
    assert world.ring(TWO) == ["c", "a"]
    assert deferrals(world) == {"a": 0, "b": 1, "c": 0, "d": 1}


def test_what_waits_is_rung_by_the_next_refreshes_first(world):
    world.put("b", "c")
    assert world.ring(ONE) == ["b"]
    world.put("a")
    assert [world.ring(ONE) for _ in range(3)] == [["c"], ["a"], []]
    assert deferrals(world) == {"a": 0, "b": 0, "c": 0}


def test_a_refresh_without_a_budget_rings_everything(world):
    world.put("a", "b", "c")
    assert world.ring(ONE) == ["a"]
    assert world.ring() == ["b", "c"]


def test_bytes_are_counted_by_the_catalogs_estimate(world):
    world.put("a", "b", "c")
    for name, size in {"a": 60, "b": 60, "c": 40}.items():
        sized(world, name, size)
    assert world.ring(Budget(bytes=100)) == ["a", "c"]
    assert world.ledger.open_entries()["sales.b"].estimated_bytes == 60


def test_what_is_not_due_costs_nothing(world):
    world.put("a", "b")
    assert world.ring(ONE) == ["a"]
    world.ledger.claim("sales.b", "worker")
    world.put("c")
    assert world.ring(ONE) == ["c"]


def test_a_deferred_change_may_be_claimed_and_then_no_longer_waits(world):
    world.put("a", "b")
    world.ring(ONE)
    assert world.ledger.claim("sales.b", "worker").deferrals == 0


def test_a_deferral_and_the_step_before_it_are_one_write(world):
    world.settle("a", "b")
    world.put("a", "b", version="2")
    world.ring(ONE)
    before = world.ledger.view()
    world.put("b", version="3", priority=2)
    world.put("a", version="3", priority=9)
    assert world.ring(ONE) == ["a"]
    after = world.ledger.view()
    entry = after.entries["sales.b"]
    assert (entry.deferrals, entry.priority, entry.target_revision) == (2, 2, 2)
    assert after.revisions[entry.change_id] == before.revisions[entry.change_id] + 1


def test_a_forced_table_goes_before_all_priorities(world):
    world.put("a", priority=10)
    world.put("b")
    assert world.ring(ONE, forced={"sales.b": "now"}) == ["b"]


def test_refreshes_at_once_share_no_budget_but_lose_nothing(world, at_once):
    names = [f"t{number}" for number in range(8)]
    world.put(*names)
    looks = [world.look() for _ in range(4)]

    def record(store, number):
        rung = store.ledger(world.identity, world.policy).record(*looks[number], ONE)
        store.ledger(world.identity, world.policy).mark_rung([entry.change_id for entry in rung])
        return [entry.ref.table for entry in rung]

    rung = [name for part in at_once(record) for name in part]
    assert 1 <= len(rung) <= 4
    rest = [name for _ in range(8) for name in world.ring(ONE)]
    assert sorted({*rung, *rest}) == names
    assert world.ring() == []


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(-10, 10)), max_size=30), st.integers(1, 3))
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_else_changes_everything_is_rung_in_the_end(world, arrivals, tables):
    world.tables.clear()
    world.refresh()
    waiting = set()
    for number, (name, priority) in enumerate(arrivals):
        world.put(name, version=f"{number}", priority=priority)
        waiting.add(name)
        waiting -= set(world.ring(Budget(tables=tables)))
        assert {name for name, times in deferrals(world).items() if times} == waiting
    for _ in range(-(-len(waiting) // tables)):
        waiting -= set(world.ring(Budget(tables=tables)))
    assert waiting == set()


def test_a_budget_is_spent_by_each_configuration_for_itself(world):
    other = replace(world, identity=replace(world.identity, source="another"), tables={})
    world.put("a", "b")
    other.put("a", "b")
    assert (world.ring(ONE), other.ring(ONE)) == (["a"], ["a"])
    assert (deferrals(world), deferrals(other)) == ({"a": 0, "b": 1}, {"a": 0, "b": 1})
