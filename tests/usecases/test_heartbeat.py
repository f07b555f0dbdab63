"""A profile that takes longer than its lease keeps its claim for as long as its worker lives, and no longer."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import psycopg2
import pytest

from profilemesh_airflow.core.ledger import LEASE_EXPIRED
from profilemesh_airflow.exceptions import ClaimLostError, StoreUnavailableError
from profilemesh_airflow.store import Ledger
from profilemesh_airflow.usecases.heartbeat import heartbeat
from profilemesh_airflow.usecases.outcome import Profiled
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_change
from profilemesh_airflow.usecases.refresh import record

#: Seconds of a lease, and those that the slow table takes: more than two leases. A busy machine may let a beat wait.
LEASE, SLOW = 4, 9


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)
    return found


def beating():
    return [thread for thread in threading.enumerate() if thread.name == "profilemesh-heartbeat"]


@pytest.fixture
def slow(project, postgres_database):
    """One table on PostgreSQL that takes several leases to profile."""
    at = postgres_database
    with psycopg2.connect(
        host=at.host, port=at.port, dbname=at.database, user=at.username, password=at.password or ""
    ) as connection:
        connection.cursor().execute(f"CREATE VIEW slow AS SELECT 1 AS i, length(pg_sleep({SLOW})::text) AS n")
    connection.close()
    source = {"name": "shop", "type": "postgres", "host": at.host, "database": at.database, "username": at.username}
    project.configure(
        {"table": "slow", "metrics": ["null_count"]},
        source={**source, **({"port": at.port} if at.port else {})},
        airflow={"lease": f"{LEASE}s", "redeliver_after": "1s", "max_attempts": 3},
    )
    return project


def profile_in_the_background(pool, project):
    def work():
        with project.open() as workspace:
            return profile_change(workspace, workspace.refs[0], Worker("the first"))

    return pool.submit(work)


def test_nobody_takes_a_change_whose_worker_is_still_at_it(slow):
    slow.refresh()
    with slow.open() as other, ThreadPoolExecutor(1) as pool:
        work = profile_in_the_background(pool, slow)
        until(lambda: other.ledger.open_entries()["slow"].state == "claimed", 60)
        while not work.done():
            assert other.ledger.claim("slow", "the second") is None
            record(other, detect(other))
            time.sleep(0.2)
        (entry,) = other.ledger.history("slow")

    assert isinstance(work.result(), Profiled)
    assert (entry.outcome, entry.attempts, entry.token, entry.last_error) == ("profiled", 0, 1, None)


WORKER = (
    "import sys; from profilemesh_airflow.cli import main; sys.argv = ['profilemesh-airflow', *sys.argv[1:]]; main()"
)


def test_a_change_whose_worker_was_killed_comes_back(slow):
    worker = subprocess.Popen([sys.executable, "-m", "profilemesh_airflow", "profile", "-c", str(slow.config)])
    try:
        with slow.open() as other:
            until(lambda: other.store.version()[0] and "slow" in other.store.peek(other.identity).entries, 60)
            held = until(lambda: _claimed(other), 60)
            time.sleep(LEASE + 0.5)
            assert other.ledger.open_entries()["slow"].held(other.ledger.now())
            worker.kill()
            worker.wait()
            time.sleep(LEASE + 0.2)
            claim = other.ledger.claim("slow", "the second")
    finally:
        worker.kill()
        worker.wait()

    assert (claim.token, claim.attempts, claim.last_error_type) == (held.token + 1, 1, LEASE_EXPIRED)


def _claimed(workspace):
    entry = workspace.ledger.open_entries().get("slow")
    return entry if entry is not None and entry.state == "claimed" else None


@pytest.fixture
def claimed(shop):
    """A workspace with a lease of a second, and the claim that it holds."""
    shop.configure("orders", airflow={"lease": "1s"})
    with shop.open() as workspace:
        record(workspace, detect(workspace))
        yield workspace, workspace.ledger.claim("orders", "test")


def test_a_claim_is_renewed_every_third_of_its_lease(claimed, monkeypatch):
    workspace, claim = claimed
    renewed, really = [], Ledger.renew

    def renew(self, claim):
        really(self, claim)
        renewed.append((time.monotonic(), self.open_entries()["orders"].lease_until))

    monkeypatch.setattr(Ledger, "renew", renew)
    started = time.monotonic()
    with heartbeat(workspace, claim):
        until(lambda: len(renewed) >= 3, 60)

    at, leases = zip(*renewed[:3], strict=True)
    assert claim.lease_until < leases[0] < leases[1] < leases[2]
    assert all(later - earlier > 0.3 for earlier, later in pairwise((started, *at)))
    # A busy machine may be late with any of them, and takes no whole lease for each.
    assert at[-1] - started < 3


def failing_renewals(monkeypatch, *errors):
    """Have the first renewals fail; those that come are counted."""
    really, beats = Ledger.renew, []

    def renew(self, claim):
        beats.append(claim)
        if len(beats) <= len(errors):
            raise errors[len(beats) - 1]
        return really(self, claim)

    monkeypatch.setattr(Ledger, "renew", renew)
    return beats


@pytest.mark.parametrize("error", [StoreUnavailableError("the store is away"), ValueError("the store is mad")])
def test_a_beat_that_fails_is_logged_and_the_next_one_comes(claimed, monkeypatch, caplog, error):
    workspace, claim = claimed
    beats = failing_renewals(monkeypatch, error)
    with heartbeat(workspace, claim):
        until(lambda: len(beats) == 2, 60)

    assert workspace.ledger.open_entries()["orders"].lease_until > claim.lease_until
    assert [record.getMessage() for record in caplog.records] == [
        f"a sign of life for orders could not be given: {error}"
    ]


def test_a_lost_claim_ends_the_beats_and_not_the_profile(claimed, monkeypatch, caplog):
    workspace, claim = claimed
    workspace.policy = replace(workspace.policy, lease=timedelta(milliseconds=100))
    beats = failing_renewals(monkeypatch, *[ClaimLostError("somebody else has it")] * 9)
    with caplog.at_level(logging.INFO), heartbeat(workspace, claim):
        until(lambda: not beating(), 60)
        time.sleep(0.2)

    assert len(beats) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "orders is profiled to its end all the same, and may be committed: somebody else has it"
    ]


def test_a_profile_that_lost_its_claim_to_nobody_is_committed_late(slow, monkeypatch):
    """No beat reaches the store, and a refresh takes the worker for dead; nobody else takes the change."""
    failing_renewals(monkeypatch, *[StoreUnavailableError("the store is away")] * 99)
    slow.refresh()
    with slow.open() as other, ThreadPoolExecutor(1) as pool:
        work = profile_in_the_background(pool, slow)
        until(lambda: other.ledger.open_entries()["slow"].state == "claimed", 60)
        time.sleep(LEASE + 0.2)
        record(other, detect(other))
        given_up = other.ledger.open_entries()["slow"]
        outcome = work.result()
        (entry,) = other.ledger.history("slow")

    assert (given_up.state, given_up.attempts) == ("open", 1)
    assert isinstance(outcome, Profiled)
    assert (entry.outcome, entry.run_id) == ("profiled", outcome.run_id)


def test_the_beats_end_at_once_with_the_profile(shop):
    shop.configure("orders", airflow={"lease": "1h"})
    with shop.open() as workspace:
        record(workspace, detect(workspace))
        claim = workspace.ledger.claim("orders", "test")
        started = time.monotonic()
        with suppress(KeyboardInterrupt), heartbeat(workspace, claim):
            during = len(beating())
            raise KeyboardInterrupt

    assert time.monotonic() - started < 30
    assert (during, beating()) == (1, [])


def test_a_lease_of_ages_beats_too(claimed):
    workspace, claim = claimed
    workspace.policy = replace(workspace.policy, lease=timedelta.max)
    with heartbeat(workspace, claim):
        time.sleep(0.1)
        assert len(beating()) == 1


def test_no_beat_comes_after_the_profile(claimed, monkeypatch):
    """One that is under way ends first: it would find the claim gone after the commit."""
    workspace, claim = claimed
    really, begun, ended = Ledger.renew, threading.Event(), threading.Event()

    def slowly(self, claim):
        begun.set()
        time.sleep(0.5)
        really(self, claim)
        ended.set()

    monkeypatch.setattr(Ledger, "renew", slowly)
    with heartbeat(workspace, claim):
        assert begun.wait(60)
    assert ended.is_set()
    assert beating() == []
