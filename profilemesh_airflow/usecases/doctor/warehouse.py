"""The profiled database: whether it can be reached, has the tables, and lets them be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.usecases.doctor.findings import ERROR, WAREHOUSE, WARNING, Finding
from profilemesh_airflow.usecases.tables import find_tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site


def unreadable_tables(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """The tables that are not there, or may not be read; a catalog query and one for the rights, per database.

    :raises WarehouseError: the database cannot be reached.
    :raises DriverMissingError: its driver is not installed.
    """
    workspace = site.workspace
    site.refs = find_tables_of(workspace).refs
    catalog = workspace.warehouse.catalog(site.refs)
    for ref in site.refs:
        if ref not in catalog:
            what, _, remedy = workspace.warehouse.why_missing(ref).rpartition("; ")
            yield Finding(WAREHOUSE, WARNING, ref.key, what or remedy, remedy if what else "check the spelling")
    for ref in workspace.warehouse.unreadable(list(catalog.values())):
        remedy = f"grant SELECT on it to {workspace.source_settings.username or 'that user'}"
        yield Finding(WAREHOUSE, ERROR, ref.key, "the user of source may not read it", remedy)
