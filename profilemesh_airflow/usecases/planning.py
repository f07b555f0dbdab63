"""Building the plan, and comparing it with what was last profiled. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profilemesh_airflow.core.diff import Diff, diff
from profilemesh_airflow.core.naming import find_tables
from profilemesh_airflow.core.plan import Plan, PlanEntry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace

#: Why a table is forced when nobody said.
NO_REASON = "requested"


@dataclass(frozen=True)
class Detection:
    """A plan, and how it differs from the baselines.

    :param seen: the ledger, read before the plan was built: nothing that happens meanwhile is settled on older news.
    """

    plan: Plan
    diff: Diff
    seen: LedgerView


def offline_plan(workspace: Workspace) -> Plan:
    """The plan without a look at the database: schema and data are unknown."""
    entries = tuple(
        PlanEntry(ref, workspace.settings[ref], priority=workspace.care[ref].priority) for ref in workspace.refs
    )
    return Plan(workspace.identity, entries, workspace.config.warnings)


def build_plan(workspace: Workspace, only: Collection[TableRef] | None = None) -> Plan:
    """The plan with schema and data version of every table, in one catalog and one version query per database.

    What fails for a passing reason is tried again, as ``retry`` says.

    :param only: the tables to plan, in this order; none means all, in that of the configuration.
    :raises WarehouseError: the database cannot be reached.
    """
    return workspace.retry.call("reading the catalog", lambda: read_plan(workspace, only))


def read_plan(workspace: Workspace, only: Collection[TableRef] | None = None) -> Plan:
    """The same in one try: for work that is tried again as a whole."""
    refs = list(workspace.refs if only is None else only)
    catalog = workspace.warehouse.catalog(refs)
    versions = workspace.warehouse.versions(list(catalog.values()))
    entries = tuple(
        PlanEntry(
            ref,
            workspace.settings[ref],
            catalog.get(ref),
            missing=ref not in catalog,
            data_version=versions.get(ref),
            priority=workspace.care[ref].priority,
        )
        for ref in refs
    )
    missing = tuple(workspace.warehouse.why_missing(ref) for ref in refs if ref not in catalog)
    return Plan(workspace.identity, entries, workspace.config.warnings + missing)


def detect(
    workspace: Workspace, names: Iterable[str] = (), *, force: bool = False, reason: str | None = None
) -> Detection:
    """Compare the plan with the baselines.

    :param names: tables to look at, by key or unambiguous name; none means all, and only then removed tables show.
    :param force: every table looked at is a change, whatever is unchanged.
    :param reason: why it is forced, for the ledger.
    :raises UnknownTableError: a name fits no table, or several.
    """
    selected = find_tables(workspace.refs, names)
    forced = {ref.key for ref in selected or workspace.refs} if force else set()
    seen = workspace.retry.call("reading the ledger", lambda: workspace.store.peek(workspace.identity))
    return compare(workspace, seen, selected, dict.fromkeys(forced, reason or NO_REASON))


def compare(
    workspace: Workspace, seen: LedgerView, selected: Collection[TableRef], forced: dict[str, str]
) -> Detection:
    """Build the plan and compare it with the ledger as it was seen before.

    :param selected: the tables to look at; none means all.
    :param forced: by table key, why it is a change whatever is unchanged.
    """
    plan = build_plan(workspace, selected or None)
    found = diff(
        plan,
        seen.baselines,
        now=seen.now,
        profile_after=workspace.policy.profile_after,
        forced=forced,
        only={ref.key for ref in selected} or None,
        waiting=[entry.ref for entry in seen.entries.values()],
    )
    return Detection(plan, found, seen)
