"""How moments, lengths of time and states of a change are said to people."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from profilemesh_airflow.core.ledger import LedgerEntry


def to_the_minute(moment: datetime) -> str:
    """A moment as people read it, in UTC."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def to_the_second(moment: datetime) -> str:
    """The same, more exactly."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def length_of(length: timedelta) -> str:
    """A length of time, roughly."""
    hours, seconds = divmod(int(length.total_seconds()), 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {seconds // 60} min"


def times(count: int) -> str:
    """How often."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def rung(entry: LedgerEntry) -> str:
    """How often a change was rung since its target last moved."""
    return f"rung {times(entry.rings)}" if entry.rings else "never rung"


def failures(entry: LedgerEntry) -> str:
    """How often the profile failed, and the latest error."""
    when = f" at {to_the_minute(entry.last_error_at)}" if entry.last_error_at else ""
    kind = f"{entry.last_error_type}: " if entry.last_error_type else ""
    return f"failed {times(entry.attempts)}, the last time{when}: {kind}{entry.last_error or 'unknown'}"


def holder(entry: LedgerEntry, now: datetime) -> str:
    """Who has claimed a change, and until when."""
    end = to_the_minute(entry.lease_until) if entry.lease_until else "an unknown time"
    if entry.held(now):
        return f"claimed by {entry.claimed_by} until {end}"
    if entry.lease_until and entry.lease_until > now:
        return f"claimed by {entry.claimed_by} until {end}, and the store's clock was set back since"
    return f"claimed by {entry.claimed_by}, whose lease ran out at {end}"
