from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from profilemesh_airflow.core.diff import Baseline, Reason
from profilemesh_airflow.core.explain import STATES, Facts, Look, explain, moved_on
from profilemesh_airflow.core.ledger import Claimed, Deferred, Detected, Failed, Rung
from tests.core.changes import AFTER_LEASE, CLAIM, FAIL, NOW, PARK, PUT_OFF, REF, after, at, change

HOUR = timedelta(hours=1)
BASELINE = Baseline(REF, at("0"), "{}", None, "0", NOW - HOUR, "run-1")
MOVED = (Reason("data", "version", "0", "1"),)

AS_BEFORE = Look((), at("0"), 24 * HOUR)
CHANGED = Look(MOVED, at("1"), 24 * HOUR)
FURTHER = Look((Reason("data", "version", "0", "2"),), at("2"), 24 * HOUR)
UNKNOWN = Look((), at(None), 24 * HOUR)
UNSURE = replace(UNKNOWN, uncertain=True)
FORCED = change("1", forced="by hand")


def facts(entry=None, look=CHANGED, baseline=BASELINE, *, planned=True, now=NOW, **more):
    return Facts(now, planned, entry, baseline, look, **more)


@pytest.mark.parametrize(
    ("known", "state", "why", "then"),
    [
        (
            facts(look=AS_BEFORE),
            "unchanged",
            "changed since it was profiled at 2023-12-31 23:00:00 UTC (run run-1)",
            "",
        ),
        (facts(), "unrecorded", "no refresh has seen that yet", "the next refresh records it"),
        (facts(look=CHANGED, baseline=None), "unrecorded", "it changed", "the next refresh records it"),
        (facts(look=None), "unlooked", "the database was not asked", "the next refresh looks at it"),
        (facts(look=None, baseline=None), "unrecorded", "it was never profiled", "the next refresh records it"),
        (
            facts(look=UNKNOWN),
            "unknown-version",
            "does not tell whether its rows changed",
            "2024-01-01 23:00:00 UTC on",
        ),
        (
            facts(look=UNKNOWN, baseline=replace(BASELINE, run_id="import:7")),
            "unknown-version",
            "taken over from the earlier integration at 2023-12-31 23:00:00 UTC",
            "it is profiled again from",
        ),
        (facts(after()), "open", "was not rung for yet", "the next refresh rings for it"),
        (facts(after(), UNSURE), "open", "was not rung for yet", "the next refresh rings for it"),
        (facts(after(), look=None), "open", "was not rung for yet", "the next refresh rings for it"),
        (facts(after(Rung())), "rung", "rung once, and nobody has taken it yet", "again from 2024-01-01 00:15:00 UTC"),
        (
            facts(after(Deferred(), Deferred()), place=3, waiting=7),
            "deferred",
            "no budget left for it (2 in a row): place 3 of 7 in the queue",
            "takes the first ones in the queue",
        ),
        (facts(after(Rung(), CLAIM, PUT_OFF)), "postponed", "its worker put it off: too dear", "00:15:00 UTC on"),
        (
            facts(after(CLAIM, FAIL)),
            "failed",
            "failed once, the last time at 2024-01-01 00:00 UTC: ProfileError: boom",
            "mend",
        ),
        (facts(after(CLAIM)), "claimed", "claimed by worker until 2024-01-01 01:00 UTC", "profiled at this moment"),
        (
            facts(after(CLAIM), now=AFTER_LEASE),
            "lease-expired",
            "claimed by worker, whose lease ran out at 2024-01-01 01:00 UTC",
            "counts it as a failed attempt",
        ),
        (facts(after(*PARK)), "parked", "failed twice", "`profilemesh-airflow replay sales.orders`"),
        (facts(after(*PARK), FURTHER), "parked", "failed twice", "the next refresh opens the change again"),
        (facts(after(*PARK), AS_BEFORE), "returned", "as it was last profiled again", "withdraws the change"),
        (facts(after(), AS_BEFORE), "returned", "as it was last profiled again", "withdraws the change"),
        (facts(after(CLAIM), AS_BEFORE), "claimed", "claimed by worker", "profiled at this moment"),
        (facts(after(first=FORCED), AS_BEFORE), "open", "was not rung for yet", "the next refresh rings for it"),
        (facts(planned=False, look=None), "left-plan", "no longer means this table", "the next refresh retires it"),
        (facts(after(*PARK), None, planned=False), "left-plan", "no longer means this table", "retires it"),
        (facts(look=None, baseline=None, planned=False), "left-plan", "does not mean this table", "list it"),
        (facts(after(Rung()), hearers={}), "no-consumer", "no DAG is scheduled on its doorbell", "doctor"),
        (facts(after(), hearers={"d": None}), "no-consumer", "a change waits, and its DAG d is gone", "doctor"),
        (facts(after(Rung()), hearers={"d": True}), "consumer-paused", "d is paused", "run `airflow dags unpause d`"),
        (facts(after(Rung()), hearers={"d": True, "e": False}), "rung", "nobody has taken it", "a refresh rings again"),
        (facts(after(CLAIM), hearers={"d": True}), "claimed", "claimed by worker", "profiled at this moment"),
        (facts(look=AS_BEFORE, hearers={"d": True}), "unchanged", "neither settings nor", "nothing is to be done"),
    ],
)
def test_the_answer_follows_from_the_facts(known, state, why, then):
    answer = explain(known)

    assert answer.state == state
    assert why in answer.why
    assert then in answer.then
    assert state in STATES


@pytest.mark.parametrize(
    ("known", "until"),
    [
        (facts(after(CLAIM)), AFTER_LEASE),
        (facts(after(Rung())), NOW + timedelta(minutes=15)),
        (facts(after(CLAIM, Failed("boom"))), NOW + timedelta(minutes=15)),
        (facts(look=UNKNOWN), NOW + 23 * HOUR),
        (facts(), None),
    ],
)
def test_the_moment_that_an_answer_is_about_is_told_apart(known, until):
    answer = explain(known)

    assert answer.until == until
    assert answer.as_dict()["until"] == (until.isoformat() if until else None)


def test_a_table_that_changed_further_since_its_change_was_recorded_is_told_from_one_that_did_not():
    assert moved_on(facts(after(), FURTHER))
    assert not moved_on(facts(after(), CHANGED))
    assert not moved_on(facts(after(), None))
    assert not moved_on(facts(None, FURTHER))


def test_the_ledger_keeps_when_a_change_was_last_rung_and_last_claimed():
    later = NOW + HOUR
    entry = after(Rung(), CLAIM, FAIL, later, Rung(), Claimed("another"), Detected(change("2")))

    assert (entry.rings, entry.rung_at, entry.claimed_at) == (0, later, later)
