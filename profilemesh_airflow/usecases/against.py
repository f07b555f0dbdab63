"""A configuration against another version of it: what a change of the file would have profiled. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.config import load_config, load_content
from profilemesh_airflow.config.git import commit_of, file_at
from profilemesh_airflow.core.naming import find_tables
from profilemesh_airflow.core.plan import Plan, PlanEntry
from profilemesh_airflow.core.proposal import Proposal, Proposed, changes_between, to_be_read
from profilemesh_airflow.core.uri import PROFILING_DAGS, profiling_dag_id
from profilemesh_airflow.exceptions import ConfigError, DriverMissingError, WarehouseError
from profilemesh_airflow.usecases.lock import Lock, lock_path, locked_tables, parse_lock, read_lock
from profilemesh_airflow.usecases.tables import find_tables_of
from profilemesh_airflow.usecases.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from profilemesh_airflow.config import ConnectionConfig, LoadedConfig
    from profilemesh_airflow.core.diff import Change
    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.planning import Detection
    from profilemesh_airflow.usecases.settings import ConnectionResolver

#: What keeps the profiled database from being asked, connections of an Airflow that is not here among them.
_UNREACHABLE = (ConfigError, DriverMissingError, WarehouseError)


@dataclass(frozen=True)
class Former:
    """The other version of a configuration.

    :param name: what it is called.
    :param config: none where the file did not exist.
    :param read: reads the lock of that version.
    """

    name: str
    config: LoadedConfig | None
    read: Callable[[Path], Lock]


def proposal_of(workspace: Workspace, detection: Detection, dag_id_prefix: str = PROFILING_DAGS) -> Proposal:
    """The same for what differs from the last profiles, as a refresh sees it."""
    found, plan = detection.diff, detection.plan
    tables = tuple(
        _proposed(workspace, change, plan.by_key[change.key].info, dag_id_prefix) for change in found.changes
    )
    return Proposal("the last profiles", tables, found.removed, len(found.unchanged), plan.warnings)


def former_version(config: Path, against: str) -> Former:
    """The version of a configuration file that is meant by ``against``.

    :param against: a file; or what git calls a commit of the repository that the configuration is in.
    :raises ConfigError: it is neither, or the configuration was wrong then.
    """
    file = Path(against)
    if file.is_file():
        return Former(str(file), load_config(file), read_lock)
    commit = commit_of(against, config.parent)
    content = file_at(commit, config)
    name = against if commit.startswith(against) else f"{against} ({commit[:12]})"
    loaded = None if content is None else load_content(content, config)
    return Former(name, loaded, lambda path: _lock_at(commit, path))


def compare_versions(
    workspace: Workspace,
    former: Former,
    names: Iterable[str] = (),
    *,
    connections: ConnectionResolver,
    offline: bool = False,
    dag_id_prefix: str = PROFILING_DAGS,
) -> Proposal:
    """What would be profiled if a configuration took the place of its other version.

    Neither store nor Airflow is asked. The database is, for sizes, and for the tables that patterns find where there is
    no lock; what cannot be asked is named among the notes.

    :param names: tables, by key or unambiguous name; none means all.
    :param offline: the database is not asked.
    :raises UnknownTableError: a name means no table, or several.
    """
    notes: list[str] = []
    after = _plan_of(workspace, read_lock, "now", offline, notes)
    rules_after = {entry.ref: workspace.care[entry.ref].version for entry in after.entries}
    if former.config is None:
        notes.append(f"{workspace.config.path.name} is not in {former.name}: every table is new")
        before, rules_before = Plan(workspace.identity, ()), {}
    else:
        with Workspace(former.config, connections) as then:
            before = _plan_of(then, former.read, "before", offline, notes)
            rules_before = {entry.ref: then.care[entry.ref].version for entry in before.entries}
        notes += _of_the_whole(workspace.config, former.config)
    found = changes_between(before, after, rules_before, rules_after)
    wanted = set(find_tables(list(dict.fromkeys((*after.refs, *found.removed))), names)) or None
    changes = [change for change in found.changes if wanted is None or change.ref in wanted]
    infos = _sizes(workspace, changes, offline, notes)
    tables = tuple(_proposed(workspace, change, infos.get(change.ref), dag_id_prefix) for change in changes)
    unchanged = len(found.unchanged) if wanted is None else len([ref for ref in wanted if ref.key in found.unchanged])
    removed = tuple(ref for ref in found.removed if wanted is None or ref in wanted)
    budget = workspace.policy.budget
    if budget and budget.tables and len(tables) > budget.tables:
        notes.append(f"airflow.budget lets one refresh ring for {budget.tables} tables: the others come later")
    return Proposal(former.name, tables, removed, unchanged, tuple(notes))


def _lock_at(commit: str, path: Path) -> Lock:
    content = file_at(commit, path)
    if content is None:
        raise ConfigError(f"{path}: is not in commit {commit[:12]}")
    return parse_lock(content.decode("utf-8", errors="replace"), path)


def _plan_of(workspace: Workspace, read: Callable[[Path], Lock], when: str, offline: bool, notes: list[str]) -> Plan:
    """The plan without schemas and data versions."""
    refs = _tables_of(workspace, read, when, offline, notes)
    entries = tuple(PlanEntry(ref, workspace.settings[ref]) for ref in refs)
    return Plan(workspace.identity, entries)


def _tables_of(
    workspace: Workspace, read: Callable[[Path], Lock], when: str, offline: bool, notes: list[str]
) -> Sequence[TableRef]:
    """By the lock; where there is none that fits, by the database."""
    config = workspace.config
    try:
        return locked_tables(config.model, config.path, lock_path(config.path), read)
    except ConfigError:
        why = "the database was not asked, and there is no lock that fits"
    if not offline:
        try:
            return find_tables_of(workspace).refs
        except _UNREACHABLE as error:
            why = workspace.redact(str(error)) if not isinstance(error, ConfigError) else str(error)
    notes.append(f"which tables the patterns find {when} is unknown, so that they are left out: {why}")
    return tuple(workspace.tables.selection.listed)


def _of_the_whole(now: LoadedConfig, then: LoadedConfig) -> list[str]:
    """What changed beside the settings of tables, and may have them profiled all the same."""
    found = []
    if _place(now.model.source) != _place(then.model.source):
        found.append("source changed: in another database every table may be another one, and is profiled if it is")
    if _place(now.model.storage.connection) != _place(then.model.storage.connection):
        found.append("storage changed: in a store without baselines, every table is new")
    return found


def _place(connection: ConnectionConfig) -> dict[str, Any]:
    """Which database it is, whoever logs in."""
    return connection.model_dump(exclude={"username", "password"})


def _sizes(
    workspace: Workspace, changes: Collection[Change], offline: bool, notes: list[str]
) -> Mapping[TableRef, TableInfo]:
    if not changes:
        return {}
    if offline:
        notes.append("how much would be read is unknown: the database was not asked")
        return {}
    try:
        return workspace.warehouse.catalog([change.ref for change in changes])
    except ConfigError as error:
        notes.append(f"how much would be read is unknown: {error}")
    except _UNREACHABLE as error:
        notes.append(f"how much would be read is unknown: {workspace.redact(str(error))}")
    return {}


def _proposed(workspace: Workspace, change: Change, info: TableInfo | None, dag_id_prefix: str) -> Proposed:
    rows, size = to_be_read(info, workspace.settings[change.ref])
    dag_id = profiling_dag_id(dag_id_prefix, workspace.identity, change.ref)
    return Proposed(change.ref, change.reasons, dag_id, rows, size)
