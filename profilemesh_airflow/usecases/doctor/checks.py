"""Every check of the doctor: one interface, one function each, in the order in which they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import AirflowApiError, DriverMissingError, StoreError, WarehouseError
from profilemesh_airflow.usecases.doctor.airflow import broken_files, refresh_dags, unhealthy_parts
from profilemesh_airflow.usecases.doctor.assets import unused_assets
from profilemesh_airflow.usecases.doctor.changes import expired_leases, overdue, parked
from profilemesh_airflow.usecases.doctor.clocks import clock_skew
from profilemesh_airflow.usecases.doctor.consumers import deaf_tables, stale_dags
from profilemesh_airflow.usecases.doctor.events import failing_hooks
from profilemesh_airflow.usecases.doctor.findings import (
    AIRFLOW,
    ASSETS,
    CLOCKS,
    CONSUMERS,
    EVENTS,
    IMPORTS,
    LEASES,
    LOCK,
    OVERDUE,
    PARKED,
    PROVIDER,
    REFRESH,
    SETTINGS,
    STALE,
    STORE,
    WAREHOUSE,
    Finding,
    NotTold,
)
from profilemesh_airflow.usecases.doctor.lock import stale_lock
from profilemesh_airflow.usecases.doctor.provider import provider_versions
from profilemesh_airflow.usecases.doctor.settings import small_settings
from profilemesh_airflow.usecases.doctor.store import look_at_store
from profilemesh_airflow.usecases.doctor.warehouse import unreadable_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from profilemesh_airflow.usecases.doctor.findings import Diagnosis
    from profilemesh_airflow.usecases.doctor.site import Site

#: What a check cannot be made without, beside a bug: it says what is wrong and how to mend it.
_OBSTACLES = (AirflowApiError, DriverMissingError, StoreError, WarehouseError)


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    :param name: one of :data:`.findings.CHECKS`.
    :param look: says what is wrong. It is given what the checks before it found.
    :param needs: checks without which this one cannot be made, and is left out where they could not.
    :param closes: why those that need this one are left out where it could not be made; none where no check does.
    """

    name: str
    look: Callable[[Site, Diagnosis], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    closes: str | None = None

    def make(self, site: Site, diagnosis: Diagnosis) -> None:
        """Make the check, or say why it cannot be made: an obstacle is a finding itself."""
        for need in self.needs:
            if need in site.closed:
                diagnosis.leave_out((self.name,), site.closed[need])
                return
        found: list[Finding] = []
        try:
            for finding in self.look(site, diagnosis):
                found.append(finding)
        except NotTold as why:
            diagnosis.leave_out((self.name,), str(why))
            return
        except _OBSTACLES as error:
            found.append(Finding.of(self.name, _place(error, site), error))
            if self.closes:
                site.closed[self.name] = self.closes
            else:
                diagnosis.findings += found
                diagnosis.leave_out((self.name,), "it cannot be asked for")
                return
        diagnosis.add(self.name, found)


def _place(error: Exception, site: Site) -> str:
    if isinstance(error, AirflowApiError):
        return site.airflow.url
    workspace = site.workspace
    return workspace.storage_settings.place if isinstance(error, StoreError) else workspace.source_settings.place


#: They are made in the order of :data:`.findings.CHECKS`.
ALL = (
    Check(STORE, look_at_store, closes="the store cannot be read"),
    Check(WAREHOUSE, unreadable_tables, closes="the profiled database cannot be asked"),
    Check(LOCK, stale_lock),
    Check(OVERDUE, overdue, (STORE,)),
    Check(PARKED, parked, (STORE,)),
    Check(LEASES, expired_leases, (STORE,)),
    Check(EVENTS, failing_hooks, (STORE,)),
    Check(AIRFLOW, unhealthy_parts, (AIRFLOW,), closes="Airflow cannot be asked"),
    Check(CLOCKS, clock_skew),
    Check(PROVIDER, provider_versions, (AIRFLOW,)),
    Check(SETTINGS, small_settings, (AIRFLOW,)),
    Check(REFRESH, refresh_dags, (AIRFLOW,)),
    Check(CONSUMERS, deaf_tables, (STORE, AIRFLOW)),
    Check(STALE, stale_dags, (AIRFLOW,)),
    Check(ASSETS, unused_assets, (AIRFLOW,)),
    Check(IMPORTS, broken_files, (AIRFLOW,)),
)
