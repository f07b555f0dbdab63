"""What has to hold after every step: the promises, on a model that knows little more than who did what, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.model.knowledge import (
    NEVER,
    TOLERANCE,
    Job,
    Kept,
    Refresh,
    live,
    parts,
    rings_wait_is_over,
    set_back,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from profilemesh_airflow.core.budget import Budget
    from profilemesh_airflow.core.ledger import LedgerEntry
    from profilemesh_airflow.core.policy import Policy
    from tests.model.knowledge import Row
    from tests.model.rows import Rows
    from tests.model.world import Table, World

DAY = timedelta(hours=24)


@dataclass
class Promises:
    """Checks each step by the rows before and after it, and remembers what the later ones are measured by."""

    world: World
    policy: Policy
    kept: dict[str, Kept] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept = {name: Kept() for name in self.world.tables}

    # --- the state of things, after any step

    def hold(self, before: Rows, after: Rows) -> None:
        """What is true at any time."""
        for name, kept in self.kept.items():
            if before.of(name) != after.of(name):
                kept.written = self.world.tick
            self._nothing_is_lost(name, kept, after)
            if row := after.open(name):
                self._waits_are_bounded(row, kept, before.changes.get(row["change_id"]))
                assert row["attempts"] == kept.attempts
                assert row["state"] == "claimed" or (row["state"] == "parked") == (
                    kept.attempts >= self.policy.max_attempts
                )
        self._only_commits_move_baselines(after)
        assert {run_id: run["status"] for run_id, run in after.runs.items()} == self.runs
        completed = [run_id for run_id, status in self.runs.items() if status == "completed"]
        assert after.metrics == dict.fromkeys(completed, 4)
        for change_id, row in after.changes.items():
            assert row["token"] >= self.tokens.get(change_id, 0)
            assert row["open_slot"] == (None if row["state"] == "closed" else 1)
            self.tokens[change_id] = row["token"]

    def _nothing_is_lost(self, name: str, kept: Kept, after: Rows) -> None:
        table = self.world.tables[name]
        if not (table.listed and self.differs(table)):
            kept.differs_since = None
        elif kept.differs_since is None:
            kept.differs_since = self.world.tick
        elif kept.refreshed > kept.differs_since:
            assert after.open(name), f"{name} differs from its baseline, a refresh has seen it, and no change is open"

    def differs(self, table: Table) -> bool:
        """Whether the table as it is now differs from its baseline, as far as anybody can tell."""
        baseline = self.kept[table.name].baseline
        if baseline is None or not table.exists:
            return True
        (settings, schema, data), (before, at, _) = parts(table.entry.fingerprint), baseline
        if (settings, schema) != (before.settings, before.schema):
            return True
        if data is not None:
            return data != before.data
        age = self.world.now - at
        return age >= self.policy.profile_after or age < -TOLERANCE

    def _waits_are_bounded(self, row: Row, kept: Kept, before: Row | None) -> None:
        """Nothing that is trusted is further away than the policy allows, whatever became of the clock."""
        now = self.world.now
        if before and before != row and not set_back(before, now):
            kept.unnoticed += max(before["updated_at"] - now, timedelta(0))
        if not set_back(row, now):
            tolerance = TOLERANCE + kept.unnoticed
            assert row["next_ring_at"] - now <= DAY + tolerance
            assert row["lease_until"] is None or row["lease_until"] - now <= self.policy.lease + tolerance

    def _only_commits_move_baselines(self, after: Rows) -> None:
        kept = {name: (parts(kept.baseline[0]), kept.baseline[2]) for name, kept in self.kept.items() if kept.baseline}
        assert kept == {
            name: ((row["settings_digest"], row["schema_digest"], row["data_digest"]), row["run_id"])
            for name, row in after.baselines.items()
        }

    # --- a refresh

    def recorded(
        self, refresh: Refresh, rung: list[LedgerEntry], budget: Budget | None, before: Rows, after: Rows
    ) -> None:
        """A refresh wrote what it saw."""
        due = set()
        for name in self.kept:
            if name not in refresh.looked_at:
                assert before.of(name) == after.of(name)
                continue
            if self._is_due(name, refresh, before):
                due.add(name)
            self._expired(name, before)
            if name in refresh.changes:
                self._changed(name, refresh, before, after)
            elif name in refresh.removed:
                self._removed(name, refresh, before, after)
            else:
                self._unchanged(name, refresh, before, after)
            self.kept[name].refreshed = max(self.kept[name].refreshed, refresh.began)
        self._shared_out(due & {name for name in due if after.open(name)}, rung, budget, before, after)

    def _is_due(self, name: str, refresh: Refresh, before: Rows) -> bool:
        """Whether a doorbell is due, unless the change is closed by this refresh."""
        row, now = before.open(name), self.world.now
        if self._moves(name, refresh, row):
            return row is None or not live(row, now)
        if row is None or row["state"] == "parked" or live(row, now):
            return False
        kept = self.kept[name]
        gives_up = row["state"] == "claimed" and kept.claimed > kept.moved
        return rings_wait_is_over(row, now) and kept.attempts + gives_up < self.policy.max_attempts

    def _moves(self, name: str, refresh: Refresh, row: Row | None) -> bool:
        """Whether what the refresh saw is news: another target, or a force."""
        change = refresh.changes.get(name)
        if change is None or self._is_answered(name, refresh):
            return False
        return row is None or change.forced or target_of(row) != parts(change.target)

    def _is_answered(self, name: str, refresh: Refresh) -> bool:
        """Whether somebody has profiled the table at this very target since the refresh saw it."""
        change, baseline, seen = refresh.changes[name], self.kept[name].baseline, refresh.seen.baselines.get(name)
        if change.forced or baseline is None or baseline[0] != change.target:
            return False
        if seen is not None and seen.run_id == baseline[2]:
            return False
        age = self.world.now - baseline[1]
        return change.target.data is not None or -TOLERANCE <= age < self.policy.profile_after

    def _expired(self, name: str, before: Rows) -> None:
        row = before.open(name)
        if row and row["state"] == "claimed" and not live(row, self.world.now):
            self.kept[name].gave_up()

    def _changed(self, name: str, refresh: Refresh, before: Rows, after: Rows) -> None:
        kept, change = self.kept[name], refresh.changes[name]
        b, a = before.open(name), after.open(name)
        if self._is_answered(name, refresh):
            assert (a and a["change_id"]) == (b and b["change_id"])
            return
        assert a is not None
        assert target_of(a) == parts(change.target)
        assert b is None or a["change_id"] == b["change_id"]
        if self._moves(name, refresh, b):
            kept.target_moved(self.world.tick)
            assert a["state"] in ("open", "claimed")
        kept.confirmed = self.world.tick
        if b is None:
            kept.forced, kept.claimed = None, NEVER
        if change.forced:
            kept.forced = self.world.tick

    def _unchanged(self, name: str, refresh: Refresh, before: Rows, after: Rows) -> None:
        kept, b, a = self.kept[name], before.open(name), after.open(name)
        untouched = kept.written < refresh.began
        returns = untouched and refresh.returned(name) and kept.forced is None
        if b is None:
            assert before.of(name) == after.of(name)
        elif returns and not live(b, self.world.now):
            assert a is None
            assert after.changes[b["change_id"]]["outcome"] == "withdrawn"
        else:
            assert a is not None, f"{name} was withdrawn, though it has not returned to its baseline"

    def _removed(self, name: str, refresh: Refresh, before: Rows, after: Rows) -> None:
        kept, b = self.kept[name], before.open(name)
        if kept.written >= refresh.began:
            # Somebody else wrote since; the next refresh sees whether the table is still gone.
            assert (b is None) == (after.open(name) is None)
            return
        assert after.open(name) is None
        assert b is None or after.changes[b["change_id"]]["outcome"] == "retired"
        kept.baseline = None

    def _shared_out(
        self, due: set[str], rung: list[LedgerEntry], budget: Budget | None, before: Rows, after: Rows
    ) -> None:
        """Each change whose doorbell is due is rung or deferred, the most urgent one rung."""
        deferrals = {name: (before.open(name) or {"deferrals": 0})["deferrals"] for name in due}
        deferred = {name for name in due if after.open(name)["deferrals"] == deferrals[name] + 1}
        names = [entry.key for entry in rung]
        assert set(names) | deferred == due
        assert not set(names) & deferred
        if budget is None:
            assert not deferred
        elif due:
            assert 1 <= len(names) <= (budget.tables or len(due))
            urgency = {
                name: deferrals[name] + (11 if self.kept[name].forced is not None else after.open(name)["priority"])
                for name in due
            }
            assert urgency[names[0]] == max(urgency.values())

    def rung(self, change_ids: Collection[str], before: Rows, after: Rows) -> None:
        """Doorbells were sent; the wait for the next one grows, and is capped."""
        for change_id in change_ids:
            b, a = before.changes[change_id], after.changes[change_id]
            if b["state"] not in ("open", "claimed"):
                assert b == a
                continue
            kept = self.kept[a["table_key"]]
            wait = min(self.policy.redeliver_after * 2 ** min(kept.rings, 10), DAY)
            kept.rings += 1
            assert (a["next_ring_at"], a["deferrals"]) == (self.world.now + wait, 0)

    def reopened(self, names: Collection[str], before: Rows, after: Rows) -> None:
        """Somebody asked for tables to be profiled again."""
        for name in names:
            kept, b, a = self.kept[name], before.open(name), after.open(name)
            if b is None and kept.baseline is None:
                assert a is None
                continue
            assert target_of(a) == (parts(kept.baseline[0]) if b is None else target_of(b))
            assert a["state"] in ("open", "claimed")
            if b is None:
                kept.claimed = NEVER
            kept.target_moved(self.world.tick)
            kept.forced = self.world.tick

    # --- a worker

    def claimed(self, name: str, claim: LedgerEntry | None, before: Rows, after: Rows) -> None:
        """A worker asked for a table's change."""
        row, now, kept = before.open(name), self.world.now, self.kept[name]
        if row is None or row["state"] == "parked" or live(row, now):
            assert claim is None, "there was nothing to claim"
            assert before == after
            return
        self._expired(name, before)
        if kept.attempts >= self.policy.max_attempts:
            assert claim is None
            return
        assert claim is not None
        a = after.open(name)
        assert (claim.token, a["token"], a["state"]) == (row["token"] + 1, row["token"] + 1, "claimed")
        assert a["lease_until"] == now + self.policy.lease
        kept.claimed = self.world.tick

    def may_commit(self, job: Job, before: Rows) -> bool:
        """Whether the job's claim is the latest, and its change not closed; a lease that ran out is no obstacle."""
        row = before.changes[job.claim.change_id]
        return row["state"] != "closed" and row["token"] == job.claim.token

    def may_renew_or_fail(self, job: Job, before: Rows) -> bool:
        """Whether, besides, nobody has taken the claim back yet."""
        return self.may_commit(job, before) and before.changes[job.claim.change_id]["state"] == "claimed"

    def renewed(self, job: Job, after: Rows) -> None:
        """A worker showed that it is alive."""
        assert after.changes[job.claim.change_id]["lease_until"] == self.world.now + self.policy.lease

    def committed(self, job: Job, run_id: str, before: Rows, after: Rows) -> None:
        """A profile was committed: it closes the change if it answers the target and every force."""
        name, found = job.claim.key, job.entry.fingerprint
        kept, b, a = self.kept[name], before.changes[job.claim.change_id], after.changes[job.claim.change_id]
        forced_since = kept.forced is not None and kept.forced > job.began
        nothing_since = max(kept.moved, kept.confirmed) < job.began
        answered = nothing_since or (parts(found) == target_of(b) and not forced_since)
        if answered:
            assert (a["state"], a["outcome"], a["run_id"]) == ("closed", "profiled", run_id)
        else:
            assert a["state"] == "open", "a change was closed by a profile from before its target"
            assert rings_wait_is_over(a, self.world.now)
            kept.attempts = 0
        kept.forced = kept.forced if forced_since else None
        kept.baseline = (found, self.world.now, run_id)
        kept.differs_since = None
        self.runs[run_id] = "completed"

    def postponed(self, job: Job, before: Rows, after: Rows) -> None:
        """A profile was put off: its change stays open, and nothing has failed. It is rung again, later."""
        b, row = before.changes[job.claim.change_id], after.open(job.claim.key)
        assert (row["state"], row["postponed"], row["attempts"]) == ("open", "too dear", b["attempts"])
        assert after.runs.keys() == before.runs.keys()
        if not b["rings"]:
            assert row["next_ring_at"] == self.world.now + self.policy.wait(1)
        elif not set_back(b, self.world.now):
            assert row["next_ring_at"] == b["next_ring_at"]
        else:
            assert row["next_ring_at"] <= self.world.now

    def failed(self, job: Job, before: Rows, after: Rows) -> None:
        """A profile failed: its change waits, longer each time, until it is parked."""
        name, kept = job.claim.key, self.kept[job.claim.key]
        counts = kept.claimed > kept.moved
        kept.gave_up()
        row = after.open(name)
        if counts:
            wait = min(self.policy.redeliver_after * 2 ** (kept.attempts - 1), DAY)
            assert row["next_ring_at"] == self.world.now + wait
        assert row["last_error"] == "boom"
        (run_id,) = after.runs.keys() - before.runs.keys()
        self.runs[run_id] = "failed"
