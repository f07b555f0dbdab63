"""The release of this package on the other components, as far as the api-server tells."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from profilemesh_airflow.usecases.doctor.findings import PROVIDER, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

PACKAGE = "profilemesh-airflow"


def provider_versions(site: Site, diagnosis: Diagnosis) -> Iterator[Finding]:
    """Whether the api-server has this package, and the same release of it as this machine."""
    api = site.airflow
    versions, here = api.providers(), version(PACKAGE)
    if PACKAGE not in versions:
        what = f"the api-server does not have {PACKAGE}: no form for its connections, no links to results"
        components = "api-server, scheduler, dag-processor, triggerer and workers"
        remedy = f"install {PACKAGE} {here} on every component: {components}"
        yield Finding(PROVIDER, WARNING, api.url, what, remedy)
    elif versions[PACKAGE] != here:
        what = f"the api-server has {PACKAGE} {versions[PACKAGE]}, and this machine {here}"
        remedy = "install the same release on every component, and here; `store upgrade` when that is done"
        yield Finding(PROVIDER, WARNING, api.url, what, remedy)
