"""How patient the ledger is: leases, back-off, attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from profilemesh_airflow.core.budget import Budget

#: Back-off never grows beyond this, so that a forgotten change is still rung every day.
LONGEST_WAIT = timedelta(hours=24)

#: What was written so much later than now was written before the clock was set back.
CLOCK_TOLERANCE = timedelta(minutes=1)


def was_set_back(written_at: datetime, now: datetime) -> bool:
    """Whether the clock was set back since something was written, so that its age cannot be told."""
    return written_at - now > CLOCK_TOLERANCE


@dataclass(frozen=True)
class Intervals:
    """At which age tables of unknown data version are profiled again.

    :param usual: of all tables; none leaves that to the policy.
    :param by_table: of some, by key in lower case.
    """

    usual: timedelta | None = None
    by_table: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, key: str) -> timedelta | None:
        """That of one table."""
        return self.by_table.get(key.lower(), self.usual)


@dataclass(frozen=True)
class Policy:
    """The rules of section ``airflow:`` that decide when a change is rung, parked or stale.

    :param redeliver_after: how long a rung change may stay unanswered before it is rung again; doubled each time.
    :param lease: how long a claim is good for without a sign of life from its worker.
    :param max_attempts: failures after which a change is parked.
    :param budget: what one refresh may ring; none is no limit.
    :param deadline: how long a change may stay open before ``doctor`` reports it.
    :param profile_after: age at which a table of unknown data version is profiled again.
    :param on_empty: whether an empty table is a ``pass``, a ``warn`` or a ``fail``.
    """

    redeliver_after: timedelta = timedelta(minutes=15)
    lease: timedelta = timedelta(hours=1)
    max_attempts: int = 5
    budget: Budget | None = None
    deadline: timedelta = timedelta(hours=24)
    profile_after: timedelta = timedelta(hours=24)
    on_empty: str = "pass"

    def wait(self, times: int) -> timedelta:
        """How long to wait after the ``times``-th ring or failure: doubled each time, up to a day.

        A ``redeliver_after`` beyond a day is not doubled.
        """
        if self.redeliver_after >= LONGEST_WAIT:
            return self.redeliver_after
        # 27 doublings take a millisecond beyond a day, and a day not beyond what a timedelta can hold.
        return min(self.redeliver_after * (1 << min(max(times - 1, 0), 27)), LONGEST_WAIT)
