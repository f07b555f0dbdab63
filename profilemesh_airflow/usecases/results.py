"""Reading what was found: the latest profile of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.core.naming import find_table
from profilemesh_airflow.exceptions import ProfileError

if TYPE_CHECKING:
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import StoredProfile
    from profilemesh_airflow.usecases.workspace import Workspace


def latest_profile(workspace: Workspace, name: str) -> StoredProfile:
    """The latest committed profile of a table, or, where there is none, the latest of the earlier integration.

    :param name: the table's key, or a name that only one table has.
    :raises UnknownTableError: the plan lists no such table, or several.
    :raises ProfileError: the table was never profiled.
    """
    return latest_of(workspace, find_table(workspace.refs, name))


def latest_of(workspace: Workspace, ref: TableRef) -> StoredProfile:
    """:func:`latest_profile` of a table that is known.

    :raises ProfileError: the table was never profiled.
    """
    profile = workspace.results.latest(ref.key)
    if profile is None:
        raise ProfileError(f"table {ref.display} was not profiled yet; `profilemesh-airflow status` says why")
    return profile
