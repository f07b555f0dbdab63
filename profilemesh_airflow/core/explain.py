"""Why a table is profiled, or why it is not: from facts to one answer. Pure; each rule is a function below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.ledger import CLAIMED, PARKED
from profilemesh_airflow.core.wording import failures, holder, rung, to_the_second

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from profilemesh_airflow.core.diff import Baseline, Reason
    from profilemesh_airflow.core.fingerprint import Fingerprint
    from profilemesh_airflow.core.ledger import LedgerEntry

#: What an answer can be, in the order in which the rules are asked.
STATES = (
    "left-plan",
    "returned",
    "parked",
    "claimed",
    "lease-expired",
    "no-consumer",
    "consumer-paused",
    "postponed",
    "deferred",
    "failed",
    "rung",
    "open",
    "unrecorded",
    "unknown-version",
    "unlooked",
    "unchanged",
)


@dataclass(frozen=True)
class Look:
    """A table as it is just now, compared with its baseline.

    :param reasons: every difference, without those that somebody only asked for.
    :param target: its fingerprint.
    :param profile_after: the age at which it is profiled again while its data version is unknown.
    :param uncertain: nothing differs as far as one can see, and the data version is unknown that was known once: no
        open change is closed on that.
    """

    reasons: tuple[Reason, ...]
    target: Fingerprint
    profile_after: timedelta
    uncertain: bool = False


@dataclass(frozen=True)
class Facts:
    """All that the answer depends on.

    :param planned: whether the configuration means the table.
    :param entry: its open change, if there is one.
    :param baseline: what it was when it was last profiled, if it ever was.
    :param look: what it is now; none where the database was not asked.
    :param place: where its change stands among all that the next refresh may ring, from 1; none where it is not due.
    :param waiting: how many changes the next refresh may ring.
    :param hearers: the DAGs that are scheduled on its doorbell: whether each is paused, none for one that is gone. None
        where no Airflow was asked.
    """

    now: datetime
    planned: bool
    entry: LedgerEntry | None = None
    baseline: Baseline | None = None
    look: Look | None = None
    place: int | None = None
    waiting: int = 0
    hearers: Mapping[str, bool | None] | None = None


@dataclass(frozen=True)
class Answer:
    """Where a table stands.

    :param state: one of :data:`STATES`.
    :param why: a sentence without a full stop.
    :param then: what happens next, or what to do.
    :param until: the moment that it is about, if there is one: the end of a lease, of a wait, of a grace.
    """

    state: str
    why: str
    then: str
    until: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON-safe data."""
        until = self.until.isoformat() if self.until else None
        return {"state": self.state, "why": self.why, "then": self.then, "until": until}


def explain(facts: Facts) -> Answer:
    """The one answer that these facts give: that of the first rule which has one."""
    return next(answer for rule in _RULES if (answer := rule(facts)) is not None)


def moved_on(facts: Facts) -> bool:
    """Whether the table has changed further since its open change was recorded."""
    entry, look = facts.entry, facts.look
    return bool(entry and look and look.reasons and look.target != entry.target)


def _left_plan(facts: Facts) -> Answer | None:
    if facts.planned:
        return None
    if facts.entry or facts.baseline:
        return Answer("left-plan", "the configuration no longer means this table", "the next refresh retires it")
    return Answer(
        "left-plan", "the configuration does not mean this table", "list it, or let a pattern find it, to profile it"
    )


def _parked(facts: Facts) -> Answer | None:
    entry = facts.entry
    if entry is None or entry.state != PARKED:
        return None
    replay = f"mend the cause, then run `profilemesh-airflow replay {entry.key}`"
    if moved_on(facts):
        return Answer("parked", failures(entry), "it changed since then: the next refresh opens the change again")
    return Answer("parked", failures(entry), f"{replay}; by itself it runs again only when the table changes")


def _claimed(facts: Facts) -> Answer | None:
    entry = facts.entry
    if entry is None or entry.state != CLAIMED:
        return None
    if entry.held(facts.now):
        then = "it is profiled at this moment; the lease is renewed while its worker lives"
        return Answer("claimed", holder(entry, facts.now), then, entry.lease_until)
    then = "the next refresh or worker counts it as a failed attempt and takes the claim back"
    return Answer("lease-expired", holder(entry, facts.now), then, entry.lease_until)


def _returned(facts: Facts) -> Answer | None:
    entry, look = facts.entry, facts.look
    if entry is None or entry.forced_revision or entry.held(facts.now):
        return None
    if look is None or look.reasons or look.uncertain:
        return None
    return Answer(
        "returned", "it changed, and is now as it was last profiled again", "the next refresh withdraws the change"
    )


def _unheard(facts: Facts) -> Answer | None:
    entry, hearers = facts.entry, facts.hearers
    if entry is None or hearers is None:
        return None
    there = {dag_id: paused for dag_id, paused in hearers.items() if paused is not None}
    if not there:
        gone = f"its DAG {', '.join(hearers)} is gone" if hearers else "no DAG is scheduled on its doorbell"
        return Answer("no-consumer", f"a change waits, and {gone}", "see what `profilemesh-airflow doctor` says of it")
    if all(there.values()):
        unpause = ", ".join(f"`airflow dags unpause {dag_id}`" for dag_id in there)
        then = f"run {unpause}; the next refresh from {to_the_second(entry.next_ring_at)} on rings again"
        return Answer("consumer-paused", f"a change waits, and {', '.join(there)} is paused", then, entry.next_ring_at)
    return None


def _waits(facts: Facts) -> Answer | None:
    entry = facts.entry
    if entry is None:
        return None
    until = entry.next_ring_at
    again = f"a refresh rings again from {to_the_second(until)} on"
    if entry.postponed is not None:
        return Answer("postponed", f"its worker put it off: {entry.postponed}", again, until)
    if entry.deferred(facts.now):
        place = f"place {facts.place} of {facts.waiting} in the queue" if facts.place else "it is in the queue"
        deferred = f"the last refresh had no budget left for it ({entry.deferrals} in a row)"
        return Answer("deferred", f"{deferred}: {place}", "the next refresh takes the first ones in the queue")
    if entry.attempts:
        return Answer("failed", failures(entry), f"mend the cause; {again}", until)
    if entry.rings:
        return Answer("rung", f"{rung(entry)}, and nobody has taken it yet", again, until)
    return Answer("open", "it changed, and was not rung for yet", "the next refresh rings for it")


def _unrecorded(facts: Facts) -> Answer | None:
    look = facts.look
    if look is None or not look.reasons:
        return None
    return Answer("unrecorded", "it changed, and no refresh has seen that yet", "the next refresh records it and rings")


def _unknown_version(facts: Facts) -> Answer | None:
    look, baseline = facts.look, facts.baseline
    if look is None or baseline is None or look.target.data is not None:
        return None
    until = baseline.profiled_at + look.profile_after
    why = f"the database does not tell whether its rows changed since it was {_profiled(baseline)}"
    return Answer("unknown-version", why, f"it is profiled again from {to_the_second(until)} on", until)


def _unlooked(facts: Facts) -> Answer | None:
    if facts.look is not None:
        return None
    if facts.baseline is None:
        return Answer("unrecorded", "it was never profiled", "the next refresh records it and rings")
    why = f"it was {_profiled(facts.baseline)}, and no change was recorded since; the database was not asked"
    return Answer("unlooked", why, "the next refresh looks at it")


def _unchanged(facts: Facts) -> Answer | None:
    since = f" since it was {_profiled(facts.baseline)}" if facts.baseline else ""
    return Answer("unchanged", f"neither settings nor schema nor data changed{since}", "nothing is to be done")


_RULES: tuple[Callable[[Facts], Answer | None], ...] = (
    _left_plan,
    _returned,
    _parked,
    _claimed,
    _unheard,
    _waits,
    _unrecorded,
    _unknown_version,
    _unlooked,
    _unchanged,
)


def _profiled(baseline: Baseline) -> str:
    moment = to_the_second(baseline.profiled_at)
    if baseline.imported:
        return f"taken over from the earlier integration at {moment}"
    return f"profiled at {moment} (run {baseline.run_id})"
