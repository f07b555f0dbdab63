"""The clocks of this machine, of the store's database and of the api-server: leases and logins depend on them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from profilemesh_airflow.core.policy import CLOCK_TOLERANCE
from profilemesh_airflow.usecases.doctor.findings import AIRFLOW, CLOCKS, STORE, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

_REMEDY = "set the clocks of all machines by the same time servers (`timedatectl` says whether one is)"


def clock_skew(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The clocks that differ from this machine's by more than the ledger tolerates."""
    workspace = site.workspace
    ledger = workspace.store.peek_ledger(workspace.identity, workspace.policy) if STORE not in site.closed else None
    if ledger is not None:
        ahead = ahead_by(ledger.now)
        what = "leases and waits go by it, and the ages of profiles, while tasks go by their own machine's clock"
        yield from _skewed(workspace.storage_settings.place, "the store's clock", ahead, what)
    if AIRFLOW not in site.closed:
        what = "it may refuse the logins of tasks, or take them for expired"
        yield from _skewed(site.airflow.url, "the api-server's clock", ahead_by(site.airflow.time), what)


def ahead_by(ask: Callable[[], datetime]) -> timedelta:
    """How far another clock is ahead of this machine's; zero where that is within what asking took."""
    before = datetime.now(timezone.utc)
    other = ask()
    after = datetime.now(timezone.utc)
    return other - min(max(other, before), after)


def _skewed(place: str, clock: str, ahead: timedelta, what: str) -> Iterator[Finding]:
    if abs(ahead) > CLOCK_TOLERANCE:
        seconds = round(abs(ahead).total_seconds())
        way = "ahead of" if ahead.total_seconds() > 0 else "behind"
        yield Finding(CLOCKS, WARNING, place, f"{clock} is {seconds} s {way} this machine's: {what}", _REMEDY)
