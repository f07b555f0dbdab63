"""The state diagram that users read is the one that the code has."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from profilemesh_airflow.core import ledger
from profilemesh_airflow.core.ledger import (
    CLOSED,
    OPEN,
    Committed,
    Detected,
)
from tests.core.changes import AFTER_LEASE, NOW, POLICY, STEPS_AFTER_DETECTION, after, at, change

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
ARROW = re.compile(r"^ +(\S+) --> (\S+) : (.+)$", re.MULTILINE)
FIRST_CELL = re.compile(r"^\| (`.+?) \|", re.MULTILINE)

STEPS = (
    Detected(change("1")),
    # Another priority: the target is the same, and yet there is something to write.
    Detected(change("1", priority=1)),
    Detected(change("2")),
    Detected(change("1", forced="now")),
    *STEPS_AFTER_DETECTION,
    Committed(at("2"), "run"),
)
TIMES = (NOW, AFTER_LEASE, NOW - timedelta(days=1))


def state_of(entry):
    return entry.outcome if entry.state == CLOSED else entry.state


def situation(entry):
    """What decides about the next step; entries that agree in it need not be looked at twice."""
    moved, seen = entry.target_revision > entry.claimed_revision, entry.confirmed_token == entry.token
    attempts = min(entry.attempts, POLICY.max_attempts)
    return state_of(entry), moved, seen, bool(entry.forced_revision), attempts, entry.token > 0, entry.lease_until


def transitions():
    """Every step that changes an entry, from every situation there is."""
    found = {("[*]", "Detected", OPEN)}
    seen, waiting = {}, [after()]
    while waiting:
        entry = waiting.pop()
        if seen.setdefault(situation(entry), entry) is not entry:
            continue
        for step in STEPS:
            for now in TIMES:
                try:
                    reached = ledger.advance(entry, step, now, POLICY)
                except ValueError:
                    continue
                if reached is not entry:
                    found.add((state_of(entry), type(step).__name__, state_of(reached)))
                    waiting.append(reached)
    return found


def drawn():
    arrows = ARROW.findall(PAGE.read_text(encoding="utf-8"))
    return {(before, step, reached) for before, reached, steps in arrows for step in steps.split(", ")}


def test_the_diagram_has_every_way_from_one_state_to_another_and_no_other():
    found = transitions()
    assert {arrow for arrow in drawn() if arrow[0] != arrow[2]} == {arrow for arrow in found if arrow[0] != arrow[2]}
    assert drawn() <= found


def test_the_tables_explain_every_state_and_every_step():
    found = transitions()
    explained = [
        name for cell in FIRST_CELL.findall(PAGE.read_text(encoding="utf-8")) for name in re.findall(r"`(\w+)`", cell)
    ]
    states, steps = {reached for _, _, reached in found}, {step for _, step, _ in found}
    assert sorted(explained) == sorted(states | steps)
