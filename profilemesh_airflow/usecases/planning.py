"""Building the plan, and comparing it with what was last profiled. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profilemesh_airflow.core.collector import many_objects
from profilemesh_airflow.core.diff import Diff, diff
from profilemesh_airflow.core.naming import find_tables, match_tables
from profilemesh_airflow.core.plan import Plan, PlanEntry
from profilemesh_airflow.core.selection import Found
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.lock import lock_path, locked_tables
from profilemesh_airflow.usecases.tables import find_tables_of, learn_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.selection import Selector, Undecided
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace

#: Why a table is forced when nobody said.
NO_REASON = "requested"

#: Who asked, and why, is kept up to this length.
_LONGEST_REASON = 500

#: A warning names so many tables.
_MOST_NAMED = 10


@dataclass(frozen=True)
class Detection:
    """A plan, and how it differs from the baselines.

    :param seen: the ledger, read before the plan was built: nothing that happens meanwhile is settled on older news.
    :param requested: who asked for it, and why; none where it came of itself.
    """

    plan: Plan
    diff: Diff
    seen: LedgerView
    requested: str | None = None


def offline_plan(workspace: Workspace, lock: Path | None = None) -> Plan:
    """The plan without a look at the database: schema and data are unknown.

    :param lock: what says which tables patterns find; none means the file beside the configuration.
    """
    config, warnings = workspace.config, workspace.config.warnings
    try:
        refs = locked_tables(config.model, config.path, lock or lock_path(config.path))
    except ConfigError as error:
        refs, warnings = tuple(workspace.tables.selection.listed), (*warnings, str(error))
    entries = tuple(PlanEntry(ref, workspace.settings[ref], priority=workspace.care[ref].priority) for ref in refs)
    return Plan(workspace.identity, entries, warnings)


def build_plan(workspace: Workspace, only: Collection[TableRef] | None = None) -> Plan:
    """The plan with schema and data version of every table: one catalog and one version query per database.

    Where there are patterns, one more query lists its tables.

    What fails for a passing reason is tried again, as ``retry`` says.

    :param only: the tables to plan, in this order; none means all, in that of the configuration.
    :raises WarehouseError: the database cannot be reached.
    """
    return workspace.retry.call("reading the catalog", lambda: read_plan(workspace, only))


@many_objects()
def read_plan(workspace: Workspace, only: Collection[TableRef] | None = None) -> Plan:
    """The same in one try: for work that is tried again as a whole."""
    with workspace.warehouse.together():
        return _read_plan(workspace, only)


def _read_plan(workspace: Workspace, only: Collection[TableRef] | None) -> Plan:
    found = find_tables_of(workspace) if only is None else Found(tuple(only))
    catalog = workspace.warehouse.catalog(found.refs)
    learn_facts(workspace, catalog.values())
    refs = found.refs if only is not None else _each_once(workspace, found.refs, catalog)
    care = {ref: workspace.care[ref] for ref in refs}
    rules = {ref: treated.version for ref, treated in care.items() if treated.version}
    versions = workspace.warehouse.versions([catalog[ref] for ref in refs if ref in catalog], rules)
    entries = tuple(
        PlanEntry(
            ref,
            workspace.settings[ref],
            catalog.get(ref),
            missing=ref not in catalog,
            data_version=versions.get(ref),
            priority=treated.priority,
            profile_after=treated.profile_after or workspace.intervals.of(ref.key),
        )
        for ref, treated in care.items()
    )
    missing = tuple(workspace.warehouse.why_missing(ref) for ref in refs if ref not in catalog)
    barren = tuple(_finds_nothing(workspace, pattern) for pattern in found.barren)
    left_out = tuple(_cannot_tell(workspace, undecided) for undecided in found.undecided)
    return Plan(workspace.identity, entries, workspace.config.warnings + barren + left_out + missing)


def _each_once(
    workspace: Workspace, refs: Sequence[TableRef], catalog: Mapping[TableRef, TableInfo]
) -> Sequence[TableRef]:
    """The tables without those that a pattern found and that the configuration lists under another name.

    So is a bare name one of the default schema's. What a pattern found and was dropped meanwhile is left out, too.
    """
    selection = workspace.tables.selection
    if not selection.has_patterns:
        return refs
    listed = {workspace.warehouse.place(catalog[ref]) for ref in selection.listed if ref in catalog}
    return [
        ref
        for ref in refs
        if ref in selection.listed or (ref in catalog and workspace.warehouse.place(catalog[ref]) not in listed)
    ]


def _finds_nothing(workspace: Workspace, pattern: Selector) -> str:
    types = " or ".join(sorted(kind.replace("_", " ") for kind in pattern.types))
    return (
        f"profiling.tables: no {types} in {workspace.source_settings.place} is found by the entry with {pattern.shown}"
    )


def _cannot_tell(workspace: Workspace, undecided: Undecided) -> str:
    refs = undecided.refs
    names = ", ".join(ref.display for ref in refs[:_MOST_NAMED])
    more = f" and {len(refs) - _MOST_NAMED} more" if len(refs) > _MOST_NAMED else ""
    what = " and ".join(undecided.unknown)
    return (
        f"profiling.tables: {workspace.source_settings.place} does not tell the {what} of {names}{more}, so that the "
        f"entry with {undecided.pattern.shown} leaves them out; list them by name, or remove the condition"
    )


def named_tables(workspace: Workspace, names: Iterable[str]) -> list[TableRef]:
    """The tables that are meant by ``names``, by key or unambiguous name.

    :raises UnknownTableError: a name fits no table, or several.
    """
    wanted = list(names)
    if not wanted:
        return []
    found = workspace.retry.call("listing the tables", lambda: find_tables_of(workspace))
    return find_tables(found.refs, wanted)


def matching_tables(workspace: Workspace, patterns: Iterable[Mapping[str, str] | str]) -> list[TableRef]:
    """The tables that are meant by ``patterns``; see :func:`.match_tables`.

    :raises UnknownTableError: a pattern means no table, or, without wildcards, several.
    """
    found = workspace.retry.call("listing the tables", lambda: find_tables_of(workspace))
    return match_tables(found.refs, patterns)


def asked_for(by: str | None, why: str | None) -> str | None:
    """Who asked for a look, and why, as one text for the ledger; none where nobody did."""
    said = ", ".join(filter(None, (why, by and f"by {by}")))
    return said[:_LONGEST_REASON] or None


@many_objects()
def detect(
    workspace: Workspace,
    names: Iterable[str] = (),
    *,
    force: bool = False,
    reason: str | None = None,
    by: str | None = None,
) -> Detection:
    """Compare the plan with the baselines.

    :param names: tables to look at, by key or unambiguous name; none means all, and only then removed tables show.
    :param force: every table looked at is a change, whatever is unchanged.
    :param reason: why somebody asked for the look, for the ledger.
    :param by: who asked for it; none where it comes of itself.
    :raises UnknownTableError: a name fits no table, or several.
    """
    selected = named_tables(workspace, names)
    seen = workspace.retry.call("reading the ledger", lambda: workspace.store.peek(workspace.identity))
    plan = build_plan(workspace, selected or None)
    asked = asked_for(by, reason)
    forced = dict.fromkeys(plan.by_key, asked or NO_REASON) if force else {}
    return compare(workspace, plan, seen, selected, forced, asked)


def compare(
    workspace: Workspace,
    plan: Plan,
    seen: LedgerView,
    selected: Collection[TableRef],
    forced: dict[str, str],
    requested: str | None = None,
) -> Detection:
    """Compare the plan with the ledger.

    :param seen: the ledger as it was before the plan was built.
    :param selected: the tables to look at; none means all.
    :param forced: by table key, why it is a change whatever is unchanged.
    :param requested: who asked for the look, and why.
    """
    found = diff(
        plan,
        seen.baselines,
        now=seen.now,
        profile_after=workspace.policy.profile_after,
        forced=forced,
        requested=requested,
        only={ref.key for ref in selected} or None,
        waiting=[entry.ref for entry in seen.entries.values()],
    )
    return Detection(plan, found, seen, requested)
