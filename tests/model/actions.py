"""What a world, refreshes and workers do; each action checks the promises before it returns."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from profilemesh_airflow.config.airflow import AirflowConfig
from profilemesh_airflow.core.diff import diff
from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.exceptions import ClaimLostError
from profilemesh_airflow.store import RunRecord
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.usecases.profile import to_drain
from profilemesh_airflow.usecases.refresh import mark_rung, record, waiting
from profilemesh_airflow.usecases.retry import Retry
from profilemesh_airflow.usecases.watch import is_due
from tests.model.knowledge import Job, Refresh
from tests.model.promises import Promises
from tests.model.world import World

if TYPE_CHECKING:
    from profilemesh_airflow.core.policy import Policy
    from profilemesh_airflow.store import Store
    from tests.model.rows import Reader

_environments = count(1)

#: Nobody listens.
_NOBODY = SimpleNamespace(tell=lambda _: None)
_CONFIG = SimpleNamespace(model=SimpleNamespace(airflow=AirflowConfig()))


class Crash(Exception):
    """The process is killed here."""


class Actions(RuleBasedStateMachine):
    """A world, its ledger in the store, and the promises between them.

    :param store: holds one ledger for each example, told apart by its environment.
    """

    def __init__(self, store: Store, reader: Reader, clock: SimpleNamespace, policy: Policy) -> None:
        super().__init__()
        self.world = clock.world = World(Identity(f"example-{next(_environments)}", "model"))
        self.reader, self.policy = reader, policy
        self.ledger = store.ledger(self.world.identity, policy)
        self.workspace = SimpleNamespace(
            ledger=self.ledger,
            store=store,
            identity=self.world.identity,
            config=_CONFIG,
            retry=Retry(0, 1, 1),
            events=_NOBODY,
        )
        self.promises = Promises(self.world, policy)
        self.rows = reader.read(self.world.identity)
        #: Refreshes under way, ids of changes that are to be rung, keys of doorbells under way, workers with a claim.
        self.refreshes: list[Refresh] = []
        self.batches: list[list[str]] = []
        self.doorbells: list[str] = []
        self.jobs: list[Job] = []
        #: What tables were before each edit, and what each was when it was profiled last.
        self.earlier: list[tuple[str, dict[str, object]]] = []
        self.at_baseline: dict[str, dict[str, object]] = {}
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
    def outside(self):
        """One step of the world, which the store hears nothing of."""
        self.whole = False
        self.world.tick += 1
        yield
        self.promises.hold(self.rows, self.rows)

    @contextmanager
    def crash(self, when):
        """Kill the process in a transaction (``during``, before its COMMIT) or after it; ``None`` does nothing."""
        if when is None:
            yield
            return
        database = self.ledger._database

        def write(work):
            def interrupted(connection):
                work(connection)
                raise Crash

            if when == "after":
                Database.write(database, work)
                raise Crash
            return Database.write(database, interrupted)

        database.write = write
        try:
            with pytest.raises(Crash):
                yield
        finally:
            del database.write

    # --- the world

    def change(self, name, values):
        with self.outside():
            self.earlier.append((name, vars(self.world.tables[name]).copy()))
            vars(self.world.tables[name]).update(values)

    def set_clock(self, by):
        with self.outside():
            self.world.now += by
            self.latest = max(self.latest, self.world.now)

    # --- refreshes

    def see_ledger(self):
        """The first half of a look."""
        with self.step(writes=False):
            return Refresh(self.ledger.view(), self.world.tick)

    def see_tables(self, refresh, only=None, forced=()):
        """The second half: the plan, and how it differs from what the first half saw."""
        with self.outside():
            plan = self.world.plan
            named = only and {name for name in only if name in self.world.listed}
            refresh.plan = plan.by_key
            refresh.diff = diff(
                plan,
                refresh.seen.baselines,
                now=refresh.seen.now,
                profile_after=self.policy.profile_after,
                forced={name: "somebody asked" for name in forced if named is None or name in named},
                only=named,
                waiting=[entry.ref for entry in refresh.seen.entries.values()],
            )
        return refresh

    def write(self, refresh, budget=None):
        """Record what a refresh saw; the changes that are to be rung."""
        with self.step() as step:
            rung = record(self.workspace, refresh, budget)
            self.promises.recorded(refresh, rung, budget, step.before, step.after())
        return [entry.change_id for entry in rung]

    def send(self, batch, crash=None):
        """Ring; a process that is killed has published nothing, since Airflow does that with the task's success."""
        with self.step(writes=crash != "during") as step:
            rung = waiting(self.workspace, batch)
            with self.crash(crash):
                mark_rung(self.workspace, rung)
            if crash != "during":
                self.promises.rung([entry.change_id for entry in rung], step.before, step.after())
        if crash is None:
            self.doorbells += [entry.key for entry in rung]

    def refresh_all(self, budget=None):
        self.send(self.write(self.see_tables(self.see_ledger()), budget))

    # --- the sensor, and the task after it

    def sense(self, budget=None, crash=None):
        """A sensor looks: the triggerer, which writes nothing, knows whether a worker would have anything to tell."""
        refresh = self.see_tables(self.see_ledger())
        due = is_due(refresh.diff, refresh.seen, self.policy)
        batch = self.write(refresh, budget)
        assert due == bool(batch or refresh.diff.removed)
        self.send(batch, crash)

    def drain(self, budget=None):
        """The task after it: whatever the sensor has told, it looks itself, and profiles what waits."""
        refresh = self.see_tables(self.see_ledger())
        granted = {entry.key for entry in self.ledger.entries(self.write(refresh, budget))}
        for name in sorted(to_drain(self.ledger.view(), granted, budget)):
            self.profile_at_once(name)

    def reopen(self, names):
        with self.step() as step:
            self.ledger.reopen([self.world.tables[name].entry.ref for name in names], "replay")
            self.promises.reopened(names, step.before, step.after())

    # --- workers

    def take(self, name):
        """The job of a worker that claims the table's change, or none."""
        with self.step() as step:
            claim = self.ledger.claim(name, f"worker {self.world.tick}")
            self.promises.claimed(name, claim, step.before, step.after())
        if claim is None:
            return None
        self.jobs.append(Job(claim, self.world.tick))
        return self.jobs[-1]

    def start(self, job):
        """Read the table's version, before the first row."""
        with self.outside():
            job.entry = self.world.tables[job.claim.key].entry
            job.table = vars(self.world.tables[job.claim.key]).copy()

    def store(self, job):
        """Commit the profile, unless the claim is over; the run."""
        self.jobs.remove(job)
        run = self.run_of(job)
        allowed = self.promises.may_commit(job, self.rows)
        with self.step(writes=allowed) as step, self.refused(allowed):
            self.ledger.commit(job.claim, run)
            self.promises.committed(job, run.run_id, step.before, step.after())
            self.at_baseline[job.claim.key] = job.table
        return run

    def run_of(self, job):
        return RunRecord(uuid4().hex, job.entry, self.world.tables[job.claim.key].profile)

    def give_up(self, job):
        """The profile failed."""
        self._give_back(job, lambda: self.ledger.fail(job.claim, "boom", "Boom"), self.promises.failed)

    def put_off(self, job):
        """The profile would be too dear now."""
        self._give_back(job, lambda: self.ledger.postpone(job.claim, "too dear"), self.promises.postponed)

    def _give_back(self, job, give_back, told):
        self.jobs.remove(job)
        allowed = self.promises.may_renew_or_fail(job, self.rows)
        with self.step(writes=allowed) as step, self.refused(allowed):
            give_back()
            told(job, step.before, step.after())

    @contextmanager
    def refused(self, allowed):
        """The ledger refuses a claim that is over, and no other."""
        if allowed:
            yield
        else:
            with pytest.raises(ClaimLostError, match="nothing was written"):
                yield

    def profile_at_once(self, name):
        if (job := self.take(name)) is not None:
            self.start(job)
            if job.profiles:
                self.store(job)
