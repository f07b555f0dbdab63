"""Everything that may happen, in any order: edits, refreshes, doorbells, workers, crashes, time."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.diff import diff
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.exceptions import ClaimLostError
from profilemesh_airflow.store import RunRecord
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.usecases.refresh import record, waiting
from profilemesh_airflow.usecases.retry import Retry
from tests.model.promises import Job, Promises, Refresh
from tests.model.world import NAMES, World

if TYPE_CHECKING:
    from profilemesh_airflow.store import Store
    from tests.model.rows import Reader

POLICY = Policy(
    redeliver_after=timedelta(minutes=15),
    lease=timedelta(hours=1),
    max_attempts=2,
    profile_after=timedelta(hours=24),
)
NAME = st.sampled_from(NAMES)
BUDGET = st.none() | st.builds(Budget, tables=st.integers(1, 2), bytes=st.none() | st.integers(1, 20))
EDITS = [
    {part: version} for part, versions in (("settings", 3), ("schema", 2), ("data", 3)) for version in range(versions)
]
#: One of several, whichever there are.
ANY = st.integers(0, 5)
SPANS = [timedelta(seconds=30), *(timedelta(minutes=minutes) for minutes in (10, 20, 59, 61)), timedelta(hours=25)]
JUMP = timedelta(days=400)

_environments = count(1)


class Crash(Exception):
    """The process is killed here."""


def picked(items, which):
    return items[which % len(items)]


class LedgerMachine(RuleBasedStateMachine):
    """A world, the store, and the promises between them.

    :param store: holds one ledger for each example, told apart by its environment.
    """

    def __init__(self, store: Store, reader: Reader, clock: SimpleNamespace) -> None:
        super().__init__()
        self.world = World(Identity(f"example-{next(_environments)}", "model"))
        self.clock, self.reader = clock, reader
        clock.world = self.world
        self.ledger = store.ledger(self.world.identity, POLICY)
        self.database = self.ledger._database
        self.workspace = SimpleNamespace(ledger=self.ledger, retry=Retry(0, 1, 1))
        self.promises = Promises(self.world, POLICY)
        self.rows = reader.read(self.world.identity)
        self.refreshes: list[Refresh] = []
        self.batches: list[list[str]] = []
        self.doorbells: list[str] = []
        self.jobs: list[Job] = []
        self.earlier: list[tuple[str, dict[str, object]]] = []
        self.at_baseline: dict[str, dict[str, object]] = {}
        self.paused = False
        self.latest = self.world.now
        self.whole = True

    @contextmanager
    def step(self, *, writes=True):
        """One step of the store: the promises hold after it. Yields what gives the rows before and after it."""
        self.whole = False
        self.world.tick += 1
        before, after = self.rows, cache(lambda: self.reader.read(self.world.identity))
        yield SimpleNamespace(before=before, after=after)
        self.rows = after()
        assert writes or before == self.rows, "looking wrote something"
        self.promises.hold(before, self.rows)

    @contextmanager
    def crash(self, when):
        """Kill the process in a transaction (``during``, before its COMMIT) or after it; ``None`` does nothing."""
        if when is None:
            yield
            return

        def write(work):
            def interrupted(connection):
                work(connection)
                raise Crash

            if when == "after":
                Database.write(self.database, work)
                raise Crash
            return Database.write(self.database, interrupted)

        self.database.write = write
        try:
            with pytest.raises(Crash):
                yield
        finally:
            del self.database.write

    @invariant()
    def the_step_was_whole(self):
        self.whole = True

    # --- what happens to the tables, and to the clock

    @contextmanager
    def outside(self):
        """One step of the world, which the store hears nothing of."""
        self.world.tick += 1
        yield
        self.promises.hold(self.rows, self.rows)

    @initialize(names=st.frozensets(NAME), priorities=st.tuples(*[st.integers(-2, 2)] * len(NAMES)))
    def some_are_profiled_already(self, names, priorities):
        for table, priority in zip(self.world.tables.values(), priorities, strict=True):
            table.priority = priority
        self.refresh_and_ring(None)
        for name in sorted(names):
            self.profile(name)

    @rule(name=NAME, change=st.sampled_from(EDITS))
    def edit(self, name, change):
        with self.outside():
            self.earlier.append((name, vars(self.world.tables[name]).copy()))
            vars(self.world.tables[name]).update(change)

    @rule(name=NAME, change=st.sampled_from(EDITS))
    def edit_and_refresh(self, name, change):
        self.edit(name, change)
        self.refresh_and_ring(None)

    @precondition(lambda self: self.earlier)
    @rule(which=ANY, refreshed=st.booleans())
    def return_to_an_earlier_state(self, which, refreshed):
        self.edit(*picked(self.earlier[::-1], which))
        if refreshed:
            self.refresh_and_ring(None)

    @precondition(lambda self: self.at_baseline)
    @rule(which=ANY, change=st.sampled_from(EDITS))
    def leave_the_baseline_and_return(self, which, change):
        name = picked(sorted(self.at_baseline), which)
        self.edit_and_refresh(name, change)
        self.edit(name, self.at_baseline[name])

    @rule(name=NAME, what=st.sampled_from(["listed", "known", "exists"]), refreshed=st.booleans())
    def add_or_remove_hide_or_drop(self, name, what, refreshed):
        self.edit(name, {what: not getattr(self.world.tables[name], what)})
        if refreshed:
            self.refresh_and_ring(None)

    @rule(name=NAME, priority=st.integers(-10, 10), size=st.none() | st.integers(0, 20))
    def change_priority_and_size(self, name, priority, size):
        self.edit(name, {"priority": priority, "size": size})

    @rule(by=st.sampled_from([*SPANS, JUMP]))
    def time_passes(self, by):
        with self.outside():
            self.world.now += by
            self.latest = max(self.latest, self.world.now)

    @rule(by=st.sampled_from([*SPANS, JUMP]))
    def the_clock_is_set_back(self, by):
        self.time_passes(-by)

    # --- refreshes

    @rule()
    def look_at_the_ledger(self):
        with self.step(writes=False):
            self.refreshes.append(Refresh(self.ledger.view(), self.world.tick))

    @precondition(lambda self: any(refresh.diff is None for refresh in self.refreshes))
    @rule(which=ANY, only=st.none() | st.frozensets(NAME, min_size=1), forced=st.frozensets(NAME, max_size=1))
    def look_at_the_tables(self, which, only, forced):
        self.look(picked([refresh for refresh in self.refreshes if refresh.diff is None], which), only, forced)

    def look(self, refresh, only=None, forced=()):
        with self.outside():
            plan = self.world.plan
            named = only and {name for name in only if name in self.world.listed}
            refresh.plan = plan.by_key
            refresh.diff = diff(
                plan,
                refresh.seen.baselines,
                now=refresh.seen.now,
                profile_after=POLICY.profile_after,
                forced={name: "somebody asked" for name in forced if named is None or name in named},
                only=named,
                waiting=[entry.ref for entry in refresh.seen.entries.values()],
            )

    @precondition(lambda self: any(refresh.diff for refresh in self.refreshes))
    @rule(which=ANY, budget=BUDGET, crash=st.sampled_from([None, None, "during", "after"]))
    def record_what_was_seen(self, which, budget, crash):
        refresh = picked([refresh for refresh in self.refreshes if refresh.diff], which)
        if crash == "during":
            with self.step(writes=False), self.crash(crash):
                record(self.workspace, refresh, budget)
            return
        self.refreshes.remove(refresh)
        rung = self.write(refresh, budget)
        if crash == "after":
            # The answer was lost, and it is tried again.
            rung = self.write(refresh, budget)
        self.batches.append([entry.change_id for entry in rung])

    def write(self, refresh, budget=None):
        with self.step() as step:
            rung = record(self.workspace, refresh, budget)
            self.promises.recorded(refresh, rung, budget, step.before, step.after())
        return rung

    @precondition(lambda self: self.batches)
    @rule(which=ANY, crash=st.sampled_from([None, None, "during", "after"]))
    def ring(self, which, crash):
        batch = picked(self.batches, which)
        self.batches.remove(batch)
        with self.step(writes=crash != "during") as step:
            rung = waiting(self.workspace, batch)
            ids = [entry.change_id for entry in rung]
            with self.crash(crash):
                self.ledger.mark_rung(ids)
            if crash != "during":
                self.promises.rung(ids, step.before, step.after())
        if crash is None:
            # Airflow publishes the events with the success of the task.
            self.doorbells += [entry.key for entry in rung]

    @rule()
    def look_at_both(self):
        self.look_at_the_ledger()
        self.look(self.refreshes[-1])

    @precondition(lambda self: self.earlier)
    @rule(which=ANY)
    def a_refresh_is_overtaken_by_another(self, which):
        self.look_at_both()
        slow = self.refreshes.pop()
        self.return_to_an_earlier_state(which, True)
        self.write(slow)

    @rule(budget=BUDGET)
    def refresh(self, budget):
        self.look_at_both()
        refresh = self.refreshes.pop()
        self.batches.append([entry.change_id for entry in self.write(refresh, budget)])

    @rule(budget=BUDGET)
    def refresh_and_ring(self, budget):
        self.refresh(budget)
        self.ring(len(self.batches) - 1, None)

    @rule(name=NAME)
    def replay(self, name):
        self.reopen([name])

    def reopen(self, names):
        with self.step() as step:
            self.ledger.reopen([self.world.tables[name].entry.ref for name in sorted(names)], "replay")
            self.promises.reopened(names, step.before, step.after())

    # --- doorbells

    @rule(paused=st.booleans())
    def pause_or_unpause(self, paused):
        self.paused = paused

    @precondition(lambda self: self.doorbells)
    @rule(which=ANY)
    def lose_a_doorbell(self, which):
        self.doorbells.remove(picked(self.doorbells, which))

    @precondition(lambda self: self.doorbells)
    @rule(which=ANY, again=st.booleans())
    def deliver_a_doorbell(self, which, again):
        name = picked(self.doorbells, which)
        if not again:
            self.doorbells.remove(name)
        if not self.paused:
            self.take(name)

    # --- workers

    @rule(name=NAME)
    def claim(self, name):
        self.take(name)

    def take(self, name):
        """The job of a worker that claims the table's change, or none."""
        with self.step() as step:
            claim = self.ledger.claim(name, f"worker {self.world.tick}")
            self.promises.claimed(name, claim, step.before, step.after())
        if claim is None:
            return None
        self.jobs.append(Job(claim, self.world.tick))
        return self.jobs[-1]

    @rule(name=NAME)
    def claim_and_die(self, name):
        with self.step(writes=False), self.crash("during"):
            self.ledger.claim(name, "dead before COMMIT")
        if self.take(name) is not None:
            self.jobs.pop()

    @precondition(lambda self: any(job.entry is None for job in self.jobs))
    @rule(which=ANY)
    def start_a_profile(self, which):
        self.start(picked([job for job in self.jobs if job.entry is None], which))

    def start(self, job):
        with self.outside():
            job.entry = self.world.tables[job.claim.key].entry
            job.table = vars(self.world.tables[job.claim.key]).copy()

    @precondition(lambda self: any(job.entry and job.entry.info for job in self.jobs))
    @rule(which=ANY, crash=st.sampled_from([None, None, "during", "after"]))
    def commit(self, which, crash):
        job = picked([job for job in self.jobs if job.entry and job.entry.info], which)
        if crash == "during" and self.may_commit(job):
            with self.step(writes=False), self.crash(crash):
                self.ledger.commit(job.claim, self.run_of(job))
        run, allowed = self.run_of(job), self.may_commit(job)
        self.store(job, run)
        if crash == "after" and allowed:
            # The answer was lost, and it is tried again.
            with self.step(writes=False):
                assert self.ledger.commit(job.claim, run).change_id == job.claim.change_id

    def store(self, job, run):
        self.jobs.remove(job)
        with self.step(writes=self.may_commit(job)) as step, self.refused(job):
            self.ledger.commit(job.claim, run)
            self.promises.committed(job, run.run_id, step.before, step.after())
            self.at_baseline[job.claim.key] = job.table

    def may_commit(self, job):
        return self.promises.may_commit(job, self.rows)

    @contextmanager
    def refused(self, job, allowed=None):
        """The ledger refuses a claim that is over, and no other."""
        if self.may_commit(job) if allowed is None else allowed:
            yield
        else:
            with pytest.raises(ClaimLostError, match="nothing was written"):
                yield

    def run_of(self, job):
        return RunRecord(uuid4().hex, job.entry, self.world.tables[job.claim.key].profile)

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def fail(self, which):
        job = picked(self.jobs, which)
        self.jobs.remove(job)
        allowed = self.promises.may_renew_or_fail(job, self.rows)
        with self.step(writes=allowed) as step, self.refused(job, allowed):
            self.ledger.fail(job.claim, "boom", "Boom")
            self.promises.failed(job, step.before, step.after())

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def heartbeat(self, which):
        job = picked(self.jobs, which)
        allowed = self.promises.may_renew_or_fail(job, self.rows)
        with self.step(writes=allowed) as step, self.refused(job, allowed):
            self.ledger.renew(job.claim)
            self.promises.renewed(job, step.after())

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def die(self, which):
        self.jobs.remove(picked(self.jobs, which))

    @rule(name=NAME)
    def profile(self, name):
        if (job := self.take(name)) is not None:
            self.start(job)
            if job.entry.info:
                self.store(job, self.run_of(job))

    @rule(name=NAME, by=st.sampled_from(["new data", "a refresh", "force"]), passing=st.booleans())
    def a_profile_is_overtaken(self, name, by, passing):
        """Something happens while the table is profiled, which perhaps was for a moment not what it is again."""
        if (job := self.take(name)) is None:
            return
        data = self.world.tables[name].data
        self.edit(name, {"data": data + passing})
        self.start(job)
        self.edit(name, {"data": data + (not passing)})
        if by == "a refresh":
            self.refresh_and_ring(None)
        elif by == "force":
            self.reopen([name])
        if job.entry.info:
            self.store(job, self.run_of(job))

    @rule(name=NAME)
    def claim_and_fail(self, name):
        if self.take(name) is not None:
            self.fail(len(self.jobs) - 1)

    # --- a fair end

    def teardown(self):
        """Where everything works, two refreshes and one drain bring every table to its final fingerprint."""
        if not self.whole:
            return
        for refresh in [refresh for refresh in self.refreshes if refresh.diff]:
            self.write(refresh)
        # Whoever is still at work is never heard of again, and everything that is waited for is over.
        self.time_passes(self.latest - self.world.now + timedelta(hours=25))
        for name in NAMES:
            self.edit(name, {"exists": True})
        self.doorbells.clear()
        self.refresh_and_ring(None)
        # Which may have parked what nobody has been heard of; somebody sees that, and forces it.
        self.reopen([name for name in NAMES if (row := self.rows.open(name)) and row["state"] == "parked"])
        self.refresh_and_ring(None)
        for name in dict.fromkeys(self.doorbells):
            self.profile(name)
        listed = {name: table.entry.fingerprint for name, table in self.world.listed.items()}
        assert {name: kept.baseline[0] for name, kept in self.promises.kept.items() if kept.baseline} == listed
        assert [name for name in NAMES if self.rows.open(name)] == []
