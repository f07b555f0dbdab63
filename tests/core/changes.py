"""Changes of one table, and what any number of steps makes of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from profilemesh_airflow.core.diff import Change, Reason
from profilemesh_airflow.core.fingerprint import Fingerprint
from profilemesh_airflow.core.ledger import (
    Claimed,
    Committed,
    Deferred,
    Expired,
    Failed,
    Postponed,
    Removed,
    Renewed,
    Returned,
    Rung,
    advance,
    opened,
)
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.table import TableRef

NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)
POLICY = Policy(redeliver_after=timedelta(minutes=15), lease=timedelta(hours=1), max_attempts=2)
AFTER_LEASE = NOW + POLICY.lease
REF = TableRef("orders", "sales")


def at(version):
    return Fingerprint("settings", "schema", version)


def change(version, *, forced=None, **more):
    reasons = [Reason("data", "version", "0", version)]
    return Change(
        REF, (*reasons, *([Reason("forced", "request", None, forced)] if forced else [])), at(version), **more
    )


def after(*steps, now=NOW, policy=POLICY, first=None):
    """The change after these steps; a moment among them is the time from there on."""
    entry = opened("id", first or change("1"), NOW)
    for step in steps:
        if isinstance(step, datetime):
            now = step
        else:
            entry = advance(entry, step, now, policy)
    return entry


def kinds(entry):
    return [reason.kind for reason in entry.reasons]


CLAIM, FAIL, DONE = Claimed("worker"), Failed("boom", "ProfileError"), Committed(at("1"), "run")
PUT_OFF = Postponed("too dear")
#: One of each kind of step but Detected.
STEPS_AFTER_DETECTION = (
    Returned(),
    Removed(),
    Rung(),
    Deferred(),
    CLAIM,
    Renewed(),
    Expired(),
    FAIL,
    PUT_OFF,
    DONE,
)
PARK = (CLAIM, FAIL, CLAIM, FAIL)
VANISH = (CLAIM, AFTER_LEASE, Expired())
