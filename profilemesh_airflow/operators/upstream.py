"""A profile that others start: what a task makes of the events of their assets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.compat.assets import started_by_assets, triggering_events
from profilemesh_airflow.core.uri import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Rows that keep changing are waited for so long, and then profiled as they are; a later report or refresh finds more.
LONGEST_LOAD_SECONDS = 3600.0


def heard_of(context: Mapping[str, Any]) -> str:
    """The assets, other than doorbells of this package, whose events started the run; nothing where there is none."""
    uris = list(triggering_events(context))
    others = sorted(uri for uri in uris if kind_of(uri) != "change")
    return ", ".join(others) or ("" if uris or not started_by_assets(context) else "an asset that it listens to")


def wait_until(debounce: float) -> float:
    """Until when it is waited for quiet, in seconds since 1970.

    :param debounce: for how many seconds it must be quiet.
    """
    return time.time() + max(LONGEST_LOAD_SECONDS, debounce)


def though_heard(heard: str, *, known: bool) -> str:
    """What to add to why nothing was profiled, where others reported a load.

    :param heard: the assets that reported it.
    :param known: whether the version of the table's rows is.
    """
    if not heard:
        return ""
    remedy = "" if known else "; the version of its rows is unknown: `always: true` profiles it at each report"
    return f"; a load was reported by {heard}{remedy}"
