"""Everything that may happen, in any order: edits, refreshes, doorbells, workers, crashes, time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.policy import Policy
from tests.model.actions import Actions
from tests.model.world import NAMES

if TYPE_CHECKING:
    from types import SimpleNamespace

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
#: What may be edited of a table.
EDIT = st.sampled_from(
    [{part: version} for part, versions in (("settings", 3), ("schema", 2), ("data", 3)) for version in range(versions)]
)
#: One of several, whichever there are.
ANY = st.integers(0, 5)
#: Where a process is killed, if it is: in its transaction, or after it.
CRASH = st.sampled_from([None, None, "during", "after"])
SPAN = st.sampled_from(
    [timedelta(seconds=30), *(timedelta(minutes=minutes) for minutes in (10, 20, 59, 61)), timedelta(hours=25)]
)
JUMP = st.just(timedelta(days=400))


def picked(items, which):
    return items[which % len(items)]


class LedgerMachine(Actions):
    """The rules: single steps, and short stories that chance alone would seldom tell."""

    def __init__(self, store: Store, reader: Reader, clock: SimpleNamespace) -> None:
        super().__init__(store, reader, clock, POLICY)
        self.paused = False
        #: Whether a sensor and the task after it bring everything to its end, or doorbells.
        self.by_sensor = False

    @initialize(
        names=st.frozensets(NAME), priorities=st.tuples(*[st.integers(-2, 2)] * len(NAMES)), by_sensor=st.booleans()
    )
    def some_are_profiled_already(self, names, priorities, by_sensor):
        self.by_sensor = by_sensor
        for table, priority in zip(self.world.tables.values(), priorities, strict=True):
            table.priority = priority
        self.refresh_all()
        for name in sorted(names):
            self.profile_at_once(name)

    @invariant()
    def the_step_was_whole(self):
        self.whole = True

    # --- what happens to the tables, and to the clock

    @rule(name=NAME, edit=EDIT, refreshed=st.booleans())
    def edit(self, name, edit, refreshed):
        self.change(name, edit)
        self.perhaps_refresh(refreshed)

    def perhaps_refresh(self, wanted):
        if wanted:
            self.refresh_all()

    @precondition(lambda self: self.earlier)
    @rule(which=ANY, refreshed=st.booleans())
    def return_to_an_earlier_state(self, which, refreshed):
        self.change(*picked(self.earlier[::-1], which))
        self.perhaps_refresh(refreshed)

    @precondition(lambda self: self.at_baseline)
    @rule(which=ANY, edit=EDIT)
    def leave_the_baseline_and_return(self, which, edit):
        name = picked(sorted(self.at_baseline), which)
        self.change(name, edit)
        self.refresh_all()
        self.change(name, self.at_baseline[name])

    @rule(name=NAME, what=st.sampled_from(["listed", "known", "exists"]), refreshed=st.booleans())
    def remove_or_add_hide_or_drop(self, name, what, refreshed):
        self.change(name, {what: not getattr(self.world.tables[name], what)})
        self.perhaps_refresh(refreshed)

    @rule(name=NAME, priority=st.integers(-10, 10), size=st.none() | st.integers(0, 20))
    def change_priority_and_size(self, name, priority, size):
        self.change(name, {"priority": priority, "size": size})

    @rule(by=SPAN | JUMP)
    def time_passes(self, by):
        self.set_clock(by)

    @rule(by=SPAN | JUMP)
    def the_clock_is_set_back(self, by):
        self.set_clock(-by)

    # --- refreshes

    @rule()
    def look_at_the_ledger(self):
        self.refreshes.append(self.see_ledger())

    @precondition(lambda self: self.half_done())
    @rule(which=ANY, only=st.none() | st.frozensets(NAME, min_size=1), forced=st.frozensets(NAME, max_size=1))
    def look_at_the_tables(self, which, only, forced):
        self.see_tables(picked(self.half_done(), which), only, forced)

    def half_done(self):
        return [refresh for refresh in self.refreshes if refresh.diff is None]

    def looked(self):
        return [refresh for refresh in self.refreshes if refresh.diff is not None]

    @precondition(looked)
    @rule(which=ANY, budget=BUDGET, crash=CRASH)
    def record_what_was_seen(self, which, budget, crash):
        refresh = picked(self.looked(), which)
        if crash == "during":
            with self.step(writes=False), self.crash(crash):
                self.ledger.record(refresh.diff, refresh.seen, budget)
            return
        self.refreshes.remove(refresh)
        self.batches.append(self.write(refresh, budget))
        if crash == "after":
            # The answer was lost, and it is tried again.
            self.batches[-1] = self.write(refresh, budget)

    @precondition(lambda self: self.batches)
    @rule(which=ANY, crash=CRASH)
    def ring(self, which, crash):
        self.send(self.batches.pop(which % len(self.batches)), crash)

    @rule(budget=BUDGET, rings=st.booleans())
    def refresh(self, budget, rings):
        self.batches.append(self.write(self.see_tables(self.see_ledger()), budget))
        if rings:
            self.send(self.batches.pop())

    @rule(budget=BUDGET, crash=CRASH)
    def a_sensor_looks(self, budget, crash):
        self.sense(budget, crash)

    @rule(budget=BUDGET)
    def the_ledger_is_drained(self, budget):
        self.drain(budget)

    @rule()
    def look_at_both(self):
        self.refreshes.append(self.see_tables(self.see_ledger()))

    @precondition(lambda self: self.earlier)
    @rule(which=ANY)
    def a_refresh_is_overtaken_by_another(self, which):
        slow = self.see_tables(self.see_ledger())
        self.return_to_an_earlier_state(which, True)
        self.write(slow)

    @rule(name=NAME, by=SPAN)
    def a_ring_is_overtaken_by_a_claim_and_the_clock(self, name, by):
        batch = self.write(self.see_tables(self.see_ledger()))
        self.take(name)
        self.set_clock(-by)
        self.send(batch)

    @rule(name=NAME)
    def replay(self, name):
        self.reopen([name])

    # --- doorbells

    @rule(paused=st.booleans())
    def pause_or_unpause(self, paused):
        self.paused = paused

    @precondition(lambda self: self.doorbells)
    @rule(which=ANY)
    def lose_a_doorbell(self, which):
        self.doorbells.pop(which % len(self.doorbells))

    @precondition(lambda self: self.doorbells)
    @rule(which=ANY, again=st.booleans())
    def deliver_a_doorbell(self, which, again):
        name = self.doorbells.pop(which % len(self.doorbells))
        if again:
            self.doorbells.append(name)
        if not self.paused:
            self.take(name)

    # --- workers

    @rule(name=NAME, starts=st.booleans())
    def claim(self, name, starts):
        if (job := self.take(name)) is not None and starts:
            self.start(job)

    @rule(name=NAME)
    def claim_and_die(self, name):
        with self.step(writes=False), self.crash("during"):
            self.ledger.claim(name, "dead before COMMIT")
        if self.take(name) is not None:
            self.jobs.pop()

    @precondition(lambda self: self.not_started())
    @rule(which=ANY)
    def start_a_profile(self, which):
        self.start(picked(self.not_started(), which))

    def not_started(self):
        return [job for job in self.jobs if job.entry is None]

    def at_work(self):
        return [job for job in self.jobs if job.profiles]

    @precondition(at_work)
    @rule(which=ANY, crash=CRASH)
    def commit(self, which, crash):
        job = picked(self.at_work(), which)
        allowed = self.promises.may_commit(job, self.rows)
        if crash == "during" and allowed:
            with self.step(writes=False), self.crash(crash):
                self.ledger.commit(job.claim, self.run_of(job))
        run = self.store(job)
        if crash == "after" and allowed:
            # The answer was lost, and it is tried again.
            with self.step(writes=False):
                assert self.ledger.commit(job.claim, run).change_id == job.claim.change_id

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def fail(self, which):
        self.give_up(picked(self.jobs, which))

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def postpone(self, which):
        self.put_off(picked(self.jobs, which))

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def heartbeat(self, which):
        job = picked(self.jobs, which)
        allowed = self.promises.may_renew_or_fail(job, self.rows)
        with self.step(writes=allowed) as step, self.refused(allowed):
            self.ledger.renew(job.claim)
            self.promises.renewed(job, step.after())

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def die(self, which):
        self.jobs.pop(which % len(self.jobs))

    @rule(name=NAME)
    def profile(self, name):
        self.profile_at_once(name)

    @rule(name=NAME, by=st.sampled_from(["new data", "a refresh", "force"]), passing=st.booleans())
    def a_profile_is_overtaken(self, name, by, passing):
        """Something happens while the table is profiled, which perhaps was for a moment not what it is again."""
        if (job := self.take(name)) is None:
            return
        data = self.world.tables[name].data
        self.change(name, {"data": data + passing})
        self.start(job)
        self.change(name, {"data": data + (not passing)})
        if by == "a refresh":
            self.refresh_all()
        elif by == "force":
            self.reopen([name])
        if job.profiles:
            self.store(job)

    @rule(name=NAME)
    def claim_and_fail(self, name):
        if (job := self.take(name)) is not None:
            self.give_up(job)

    # --- a fair end

    def teardown(self):
        """Where everything works, two refreshes and one drain bring every table to its final fingerprint."""
        if not self.whole:
            return
        for refresh in self.looked():
            self.write(refresh)
        # Whoever is still at work is never heard of again, and everything that is waited for is over.
        self.set_clock(self.latest - self.world.now + timedelta(hours=25))
        for name in NAMES:
            self.change(name, {"exists": True})
        self.doorbells.clear()
        self.refresh_all()
        # That may have parked what nobody has been heard of; somebody sees it, and forces it.
        self.reopen([name for name in NAMES if (row := self.rows.open(name)) and row["state"] == "parked"])
        if self.by_sensor:
            self.sense()
            self.drain()
        else:
            self.refresh_all()
            for name in dict.fromkeys(self.doorbells):
                self.profile_at_once(name)
        listed = {name: table.entry.fingerprint for name, table in self.world.listed.items()}
        assert {name: kept.baseline[0] for name, kept in self.promises.kept.items() if kept.baseline} == listed
        assert [name for name in NAMES if self.rows.open(name)] == []
