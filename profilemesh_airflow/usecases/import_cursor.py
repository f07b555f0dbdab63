"""Taking over what the earlier integration's plan sensor remembered, so that an upgrade does not profile everything.

The sensor kept the settings of every table in an Airflow Variable, and moved it before anything was profiled. It knew
nothing of schema and data. So a table is taken over only where the store has a profile of it, and its settings are as
they were. What its rows were at that profile nobody knows: its baseline is what it is *now*, so that every later change
is found, and it is profiled once more when ``profile_after`` is over, for what may have changed before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from profilemesh_airflow.config.tables import TableConfig
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.planning import build_plan
from profilemesh_airflow.usecases.settings import settings_by_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from profilemesh_airflow.config import ProfileMeshConfig
    from profilemesh_airflow.core.plan import Plan, PlanEntry, TableSettings
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.workspace import Workspace

#: The Variable in which the earlier sensor kept its cursor, unless it was told another.
CURSOR_VARIABLE = "profilemesh_plan_cursor"

_KEPT = ("metrics", "partition", "sampling")


@dataclass(frozen=True)
class TakenOver:
    """A table that need not be profiled at once.

    :param run_id: the earlier run that profiled it.
    """

    ref: TableRef
    run_id: str

    def as_dict(self) -> dict[str, Any]:
        """The outcome as small, JSON-safe data."""
        return {"table_key": self.ref.key, "run_id": self.run_id}


@dataclass(frozen=True)
class LeftToProfile:
    """A table of the plan that is profiled as any new one."""

    ref: TableRef
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The outcome as small, JSON-safe data."""
        return {"table_key": self.ref.key, "why": self.why}


def import_cursor(
    workspace: Workspace, text: str, *, dry_run: bool = False
) -> tuple[list[TakenOver], list[LeftToProfile]]:
    """Give tables a baseline by what the cursor says of them.

    It does harm to nobody to do it twice: a table that has a baseline is left alone, and so named.

    :param text: the Variable's text.
    :param dry_run: only say what would be done.
    :raises ConfigError: the text is no cursor, or is of another environment.
    """
    cursor = _parsed(text, workspace.config.model)
    baselines = workspace.retry.call("reading the ledger", lambda: workspace.store.peek(workspace.identity)).baselines
    # The data versions are read first of all: what changes from now on is found.
    plan = build_plan(workspace)
    settings = dict(_settings(cursor, workspace.config.model, plan))
    taken, left = [], []
    for entry in plan.entries:
        run_id, why = _judge(workspace, entry, settings, known=entry.key in baselines)
        if run_id is None:
            left.append(LeftToProfile(entry.ref, why))
        else:
            taken.append((entry, run_id))
    if taken and not dry_run:
        workspace.retry.call("writing the baselines", lambda: workspace.ledger.take_over(taken))
    return [TakenOver(entry.ref, run_id) for entry, run_id in taken], left


def _judge(
    workspace: Workspace, entry: PlanEntry, settings: Mapping[str, TableSettings | None], *, known: bool
) -> tuple[str | None, str]:
    """The earlier run by which a table can be taken over, or none and why not."""
    if known:
        return None, "it has a baseline already"
    if entry.info is None:
        return None, "the database does not have it"
    if entry.key not in settings:
        return None, "the cursor does not know it, or knows two of that name"
    if settings[entry.key] != entry.settings:
        return None, "its settings are not what they were"
    profile = workspace.retry.call("reading the results", lambda: workspace.results.latest(entry.key))
    if profile is None:
        return None, "the store has no profile of it: it was seen by the sensor, and never profiled"
    return profile.run_id, ""


def _parsed(text: str, model: ProfileMeshConfig) -> Mapping[str, Any]:
    try:
        cursor: Mapping[str, Any] = json.loads(text)
        tables, environment = cursor["tables"], cursor["environment"]
        cursor["drift_strategy"], tables.items()
    except (ValueError, TypeError, LookupError, AttributeError):
        raise ConfigError(
            "this is no cursor of the earlier integration's plan sensor: expected JSON with environment, "
            f"drift_strategy and tables, as it is in the Variable {CURSOR_VARIABLE}"
        ) from None
    if environment != model.environment:
        raise ConfigError(
            f"the cursor is of environment {environment!r}, and the configuration of {model.environment!r}; "
            "import each cursor with the configuration that it was made of"
        )
    return cursor


def _settings(
    cursor: Mapping[str, Any], model: ProfileMeshConfig, plan: Plan
) -> Iterator[tuple[str, TableSettings | None]]:
    """What the present release makes of the settings in the cursor, by table key; none where it cannot tell."""
    names = [_full_name(entry.ref) for entry in plan.entries]
    for entry, name in zip(plan.entries, names, strict=True):
        kept = cursor["tables"].get(name)
        if kept is None or names.count(name) > 1:
            continue
        same_strategy = cursor["drift_strategy"] == model.drift_detection.strategy
        yield entry.key, _settings_of(entry.ref, kept, model) if same_strategy else None


def _settings_of(ref: TableRef, kept: Any, model: ProfileMeshConfig) -> TableSettings | None:
    try:
        options = {name: kept[name] for name in _KEPT}
        table = TableConfig.model_validate({"table": ref.table, "schema": ref.schema, **options})
    except (ValidationError, TypeError, LookupError):
        return None
    alone = model.profiling.model_copy(update={"tables": (table,)})
    return settings_by_entry(model.model_copy(update={"profiling": alone}))[0]


def _full_name(ref: TableRef) -> str:
    """The name under which the cursor has a table: it knew nothing of databases."""
    return f"{ref.schema}.{ref.table}" if ref.schema else ref.table
