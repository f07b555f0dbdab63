"""Airflow's settings that are too small for the number of tables, with the value to set.

The numbers are measured on Airflow 3.3 with two loaded cores: a loop of the scheduler that creates DAG runs takes about
3 s, and to register the event of a change about 17 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import AirflowApiError
from profilemesh_airflow.usecases.doctor.findings import SETTINGS, WARNING, Finding, NotTold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

#: Seconds that the scheduler takes for a loop in which it creates runs, and those in which all runs should be there.
_LOOP_SECONDS, _PATIENCE_SECONDS = 3.0, 60.0

#: More runs in one loop were not tried.
_MOST_RUNS = 500

#: A task rings for so many tables at most; each event takes so many seconds on a loaded machine.
_CHUNK, _EVENT_SECONDS = 100, 0.05

#: So many profiles one after the other in each slot are still well.
_MOST_ROUNDS = 50


@dataclass(frozen=True)
class Advice:
    """A setting that should be greater.

    :param value: what it should be, at least.
    :param why: what happens otherwise.
    """

    section: str
    name: str
    present: float
    value: int
    why: str


def create_loops(burst: int, present: float) -> Advice | None:
    """How many DAG runs the scheduler creates in one loop."""
    seconds = burst / max(present, 1) * _LOOP_SECONDS
    if seconds <= _PATIENCE_SECONDS or present >= _MOST_RUNS:
        return None
    value = min(ceil(burst * _LOOP_SECONDS / _PATIENCE_SECONDS), _MOST_RUNS)
    why = f"the DAG runs of {burst} tables that are rung at once are created in about {seconds / 60:.0f} min"
    return Advice("scheduler", "max_dagruns_to_create_per_loop", present, value, why)


def success_call(burst: int, present: float) -> Advice | None:
    """How long a task waits for its success, and the events in it, to be taken."""
    events = min(burst, _CHUNK)
    if present >= events * _EVENT_SECONDS:
        return None
    why = f"a task that rings for {events} tables takes up to {events * _EVENT_SECONDS:g} s to report its events"
    return Advice("workers", "execution_api_timeout", present, max(5, ceil(events * _EVENT_SECONDS)), why)


def task_slots(burst: int, present: float) -> Advice | None:
    """How many tasks run at a time."""
    rounds = burst / max(present, 1)
    if present <= 0 or rounds <= _MOST_ROUNDS:
        return None
    why = f"{burst} tables that are rung at once are profiled in {ceil(rounds)} rounds, one after the other"
    return Advice("core", "parallelism", present, ceil(burst / _MOST_ROUNDS), why)


#: Section, name, and the rule.
RULES: tuple[tuple[str, str, Callable[[int, float], Advice | None]], ...] = (
    ("scheduler", "max_dagruns_to_create_per_loop", create_loops),
    ("workers", "execution_api_timeout", success_call),
    ("core", "parallelism", task_slots),
)


def small_settings(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The settings that are too small for as many tables as one refresh may ring.

    :raises NotTold: the api-server keeps its settings to itself, and no Airflow is installed here.
    """
    budget = site.workspace.policy.budget
    burst = min(len(site.refs), budget.tables if budget and budget.tables else len(site.refs))
    where, setting = _settings(site)
    for section, name, rule in RULES:
        text = setting(section, name)
        advice = rule(burst, float(text)) if text else None
        if advice:
            less = "" if budget and budget.tables else ", or let airflow.budget ring fewer tables at a time"
            remedy = f"set [{section}] {name} = {advice.value} (AIRFLOW__{section.upper()}__{name.upper()}){less}"
            what = f"[{section}] {name} is {advice.present:g}: {advice.why}"
            yield Finding(SETTINGS, WARNING, where, what, remedy)


def _settings(site: Site) -> tuple[str, Callable[[str, str], str | None]]:
    """Where the settings are from, and how to ask for one."""
    api = site.airflow
    try:
        told = {section: api.settings(section) for section, _, _ in RULES}
    except AirflowApiError as error:
        local = site.local_settings()
        if local is None:
            raise NotTold("the api-server does not tell its settings: turn [api] expose_config on") from error
        return "the settings of the Airflow on this machine", local
    return api.url, lambda section, name: told[section].get(name)
