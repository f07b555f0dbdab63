"""Assets of others: which ones start a table's profile, and what is looked at when they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.upstream import Upstream, data_uri
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.planning import build_plan, named_tables
from profilemesh_airflow.usecases.profile import select_changes
from profilemesh_airflow.usecases.settings import selection_of, upstream_by_entry
from profilemesh_airflow.usecases.tables import ByTable, Tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from profilemesh_airflow.config import ProfileMeshConfig
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.usecases.workspace import Workspace


def upstream_uris(model: ProfileMeshConfig, refs: Iterable[TableRef]) -> dict[TableRef, tuple[str, ...]]:
    """The URIs of the assets that start each table's profile beside its doorbell; a table that hears none is left out.

    Nothing but the configuration is read, as a DAG file needs it.

    :raises ConfigError: a table is to hear of its own asset, whose URI the configuration does not tell.
    """
    by_entry = upstream_by_entry(model)
    if not any(each.own or each.others for each in by_entry):
        return {}
    upstream = ByTable(Tables(selection_of(model)), by_entry)
    found = {ref: _uris(model, ref, upstream[ref]) for ref in refs}
    return {ref: uris for ref, uris in found.items() if uris}


def _uris(model: ProfileMeshConfig, ref: TableRef, upstream: Upstream) -> tuple[str, ...]:
    own = (_own_uri(model, ref),) if upstream.own else ()
    return tuple(dict.fromkeys((*own, *upstream.others)))


def _own_uri(model: ProfileMeshConfig, ref: TableRef) -> str:
    if model.source.type is None:
        raise ConfigError(
            f"listen_to_upstream: a DAG file must not look up the connection {model.source.conn_id!r}, so that the URI "
            "of a table's asset is not known; write type, host, port and database beside conn_id, or name the asset "
            "of the load job in triggered_by of the table, without listen_to_upstream"
        )
    try:
        return data_uri(model.source.to_settings(), ref)
    except ValueError as error:
        raise ConfigError(
            f"listen_to_upstream: the URI of the asset of table {ref.display} is not known: {error}; write it there, "
            "or name the asset of the load job in triggered_by of the table, without listen_to_upstream"
        ) from None


def data_version(workspace: Workspace, key: str) -> str | None:
    """The present version of one table's rows; none where it is not known, or the table is not there."""
    (entry,) = build_plan(workspace, named_tables(workspace, [key])).entries
    return entry.data_version


def look_at(workspace: Workspace, ref: TableRef, heard: str) -> None:
    """Record in the ledger what changed of a table of which others reported a load.

    :param heard: the assets that reported it.
    """
    always = workspace.care[ref].upstream.always
    select_changes(workspace, [ref.key], changed_only=not always, reason=f"reported by {heard}")
