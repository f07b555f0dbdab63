"""What an examination looks at: the configuration, its databases and the Airflow around them, each asked once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.core.uri import uri_prefix
from profilemesh_airflow.usecases.doctor.findings import WAREHOUSE, NotTold

if TYPE_CHECKING:
    from profilemesh_airflow.airflow_api import AirflowApi
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store import LedgerView
    from profilemesh_airflow.usecases.workspace import Workspace

#: One of Airflow's settings, by section and name, as the Airflow that is installed on this machine has it. None where
#: none is installed.
LocalSettings = Callable[[], "Callable[[str, str], str | None] | None"]


@dataclass
class Site:
    """What the checks share. What a check has found out is kept for those after it.

    :param api: the Airflow that refreshes and profiles this configuration; none where no address is known.
    :param local_settings: looked for where the Airflow at the address does not tell its settings.
    :param view: the ledger, as the check of the store has read it.
    :param refs: the tables of the plan: as far as they are known without the profiled database, until its check has
        asked it.
    :param closed: what cannot be asked, by the check that found it so, and why; the checks that need it are left out.
    """

    workspace: Workspace
    api: AirflowApi | None = None
    local_settings: LocalSettings = lambda: None
    view: LedgerView | None = None
    refs: tuple[TableRef, ...] = ()
    closed: dict[str, str] = field(default_factory=dict)

    @property
    def airflow(self) -> AirflowApi:
        """The Airflow at the address; only for checks that need one."""
        if self.api is None:
            raise LookupError("no Airflow is known")
        return self.api

    @property
    def ledger(self) -> LedgerView:
        """The ledger; only for checks that need the store."""
        if self.view is None:
            raise LookupError("the store was not read")
        return self.view

    @property
    def all_refs(self) -> tuple[TableRef, ...]:
        """The tables of the plan; only for checks of what is not among them.

        :raises NotTold: the profiled database was not asked what patterns find.
        """
        if self.workspace.tables.selection.has_patterns and WAREHOUSE in self.closed:
            raise NotTold("which tables the patterns find is unknown")
        return self.refs

    @property
    def prefix(self) -> str:
        """What the URIs of this configuration's doorbells begin with."""
        return uri_prefix(self.workspace.identity, "change")

    @cached_property
    def assets(self) -> list[dict[str, Any]]:
        """The active change assets, as Airflow has them."""
        return self.airflow.assets(self.prefix)

    @cached_property
    def consumers(self) -> Mapping[str, bool]:
        """The DAGs that are there and scheduled on a change asset, and whether each is paused."""
        found = self.airflow.dags(asset_dependency=self.prefix)
        return {dag_id: bool(dag["is_paused"]) for dag_id, dag in found.items()}

    @cached_property
    def scheduled(self) -> Mapping[str, list[str]]:
        """By URI, the ids of the DAGs that are scheduled on it; some may be gone."""
        return {asset["uri"]: [dag["dag_id"] for dag in asset["scheduled_dags"]] for asset in self.assets}

    @cached_property
    def producers(self) -> frozenset[str]:
        """The ids of the DAGs that say that they publish on a change asset."""
        return frozenset(task["dag_id"] for asset in self.assets for task in asset["producing_tasks"])
