from __future__ import annotations

from hypothesis import given, strategies as st

from profilemesh_airflow.warehouse.halving import ask_in_halves


@given(st.lists(st.integers(), unique=True, max_size=60), st.data())
def test_what_can_be_had_is_had_and_the_rest_is_given_up(items: list[int], data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.sampled_from(items))) if items else set()
    had: list[int] = []
    refused: list[int] = []

    def ask(some) -> None:
        if bad & set(some):
            raise LookupError
        had.extend(some)

    ask_in_halves(items, ask, LookupError, lambda item, _: refused.append(item))
    assert had == [item for item in items if item not in bad]
    assert refused == [item for item in items if item in bad]


def test_one_bad_item_among_a_thousand_takes_few_questions() -> None:
    asked = []

    def ask(some) -> None:
        asked.append(some)
        if 700 in some:
            raise LookupError

    ask_in_halves(range(1000), ask, LookupError, lambda *_: None)
    assert len(asked) <= 21
