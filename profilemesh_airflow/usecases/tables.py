"""Which tables the configuration means, and which of its entries each is from."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from profilemesh_airflow.config.dbt import tags_by_relation
from profilemesh_airflow.config.selection import manifest_of
from profilemesh_airflow.core.conditions import Facts
from profilemesh_airflow.usecases.settings import table_names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.selection import Found, Selection
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.workspace import Workspace

T = TypeVar("T")

_DAY = 86_400.0


class Tables:
    """The tables of one opened configuration.

    What a catalog says of them is remembered: a pattern may be about tables or views alone, or have conditions, so that
    the name does not always tell which entry a table is from.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._facts: dict[TableRef, Facts] = {}

    def learn(self, facts: Mapping[TableRef, Facts]) -> None:
        """Remember what tables are like."""
        self._facts.update(facts)

    def entry_of(self, ref: TableRef) -> int | None:
        """The position of the entry that a table is from, or none where no entry means it."""
        at = self.selection.position(ref, self._facts.get(ref))
        # One that is not what it was when it was found is treated as before, until it is looked for again.
        return self.selection.position(ref) if at is None else at

    def __contains__(self, ref: TableRef) -> bool:
        return self.entry_of(ref) is not None


class ByTable(dict["TableRef", T]):
    """What the entries of a configuration say, by table.

    It holds the tables that are listed by name; those that patterns mean can be asked for all the same.
    """

    def __init__(self, tables: Tables, values: Sequence[T]) -> None:
        super().__init__((ref, values[at]) for ref, at in tables.selection.listed.items())
        self._tables = tables
        self._values = values

    def __missing__(self, ref: TableRef) -> T:
        at = self._tables.entry_of(ref)
        if at is None:
            raise KeyError(ref)
        return self._values[at]


def find_tables_of(workspace: Workspace) -> Found:
    """The tables that are meant; where there are patterns, the database is asked, in one query per database.

    This package's own tables are never found: each profile changes them, so that they would never be done.

    :raises WarehouseError: a database cannot be asked. Nothing can be said then of what it holds.
    """
    selection = workspace.tables.selection
    if not selection.has_patterns:
        return selection.find(())
    own = table_names_of(workspace.config.model).as_tuple()
    listed = [
        table
        for table in workspace.warehouse.tables(selection.databases)
        if not table.table.startswith(("profilemesh_", *own))
    ]
    candidates = selection.candidates(listed)
    facts = learn_facts(workspace, workspace.warehouse.catalog(list(candidates.values())).values())
    return selection.find(listed, {table: facts[ref] for table, ref in candidates.items() if ref in facts})


def learn_facts(workspace: Workspace, infos: Iterable[TableInfo]) -> dict[TableRef, Facts]:
    """What the conditions of patterns are about, of tables as the catalog gave them; it is remembered, too.

    Tags take one more query per database, and only where it depends on them which tables are meant.

    :raises WarehouseError: a database cannot be asked for tags.
    :raises ConfigError: the file that has them cannot be read.
    """
    selection = workspace.tables.selection
    if not selection.has_patterns:
        return {}
    by_ref = {info.ref: info for info in infos}
    tags = _tags(workspace, [info for ref, info in by_ref.items() if selection.asks_tags_of(ref)])
    now, more = datetime.now(timezone.utc).timestamp(), selection.has_conditions
    facts = {ref: _facts(info, tags.get(ref), now) if more else Facts(info.kind) for ref, info in by_ref.items()}
    workspace.tables.learn(facts)
    return facts


def _tags(workspace: Workspace, infos: Sequence[TableInfo]) -> Mapping[TableRef, frozenset[str] | None]:
    if not infos:
        return {}
    manifest = manifest_of(workspace.config.model.profiling.discovery_options, workspace.config.path.parent)
    if manifest is None:
        return workspace.warehouse.tags(infos)
    of_models = tags_by_relation(manifest)
    places = {info.ref: workspace.warehouse.place(info) for info in infos}
    return {
        ref: of_models.get(((schema or "").casefold(), name.casefold()), frozenset())
        for ref, (_, schema, name) in places.items()
    }


def _facts(info: TableInfo, tags: frozenset[str] | None, now: float) -> Facts:
    modified = info.details.get("modified")
    return Facts(
        kind=info.kind,
        columns=frozenset(column.name for column in info.columns),
        rows=info.estimated_rows,
        age_days=None if modified is None else (now - modified) / _DAY,
        tags=tags,
    )


def known_tables(workspace: Workspace) -> tuple[TableRef, ...]:
    """The tables that are known without the profiled database: the listed ones, and what patterns found so far.

    :raises StoreError: the store cannot be read, which knows the latter.
    """
    selection = workspace.tables.selection
    if not selection.has_patterns:
        return selection.find(()).refs
    seen = workspace.retry.call("reading the ledger", lambda: workspace.store.peek(workspace.identity))
    found = [baseline.ref for baseline in seen.baselines.values()] + [entry.ref for entry in seen.entries.values()]
    return selection.order(found)
