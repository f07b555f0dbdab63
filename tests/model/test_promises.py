"""The promises hold whatever happens, in whichever order; see :class:`tests.model.machine.LedgerMachine`."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.examples import examples
from tests.model.machine import LedgerMachine
from tests.model.rows import Reader

#: How many examples there are on SQLite; ``PROFILEMESH_MODEL_EXAMPLES=5000`` takes some twenty minutes.
EXAMPLES = int(os.environ.get("PROFILEMESH_MODEL_EXAMPLES") or examples(100))


@pytest.mark.parametrize(
    ("store_settings", "number"),
    [("sqlite", EXAMPLES), ("postgres", max(EXAMPLES // 5, 5)), ("mysql", max(EXAMPLES // 5, 5))],
    indirect=["store_settings"],
)
def test_nothing_is_lost_whatever_happens(store, store_settings, clock, number):
    reader = Reader(store_settings)
    try:
        run_state_machine_as_test(
            lambda: LedgerMachine(store, reader, clock),
            settings=settings(max_examples=number, stateful_step_count=50, deadline=None),
        )
    finally:
        reader.close()
