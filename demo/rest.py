"""What the demo and the end-to-end tests ask of Airflow's REST API beyond what the package does."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from profilemesh_airflow import airflow_api
from profilemesh_airflow.exceptions import AirflowApiError as AirflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FINISHED", "AirflowApi", "AirflowError"]

FINISHED = frozenset({"success", "failed"})
_POLL_SECONDS = 0.5


class AirflowApi(airflow_api.AirflowApi):
    """The package's client, which also starts DAG runs and looks at what came of them.

    :param url: where the api-server is.
    """

    def health(self, since: datetime | None = None) -> dict[str, str]:
        """The status of metadatabase, scheduler, triggerer and dag_processor; empty while nobody answers.

        :param since: an older sign of life is ``stale``.
        """
        try:
            parts = self.parts()
        except AirflowError:
            return {}
        return {name: _status(name, part, since) for name, part in parts.items()}

    def runs(self, dag_id: str = "~") -> list[dict[str, Any]]:
        """The runs of one DAG, or of all, oldest first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        return list(self.pages(path, "dag_runs", order_by="run_after"))

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        timeout: float = 120,
        progress: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Wait until a run has ended, well or not.

        :raises AirflowError: it has not within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            run = self.run(dag_id, run_id)
            progress(run)
            if run["state"] in FINISHED:
                return run
            if time.monotonic() > deadline:
                raise AirflowError(f"run {run_id} of {dag_id} is {run['state']} after {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)

    def triggering_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The asset events that a run was started by."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/upstreamAssetEvents"
        events: list[dict[str, Any]] = self.call("GET", path)["asset_events"]
        return events

    def waiting_events(self, dag_id: str) -> int:
        """How many of the assets a DAG is scheduled on have an event for which no run was made yet."""
        return int(self.call("GET", f"/api/v2/dags/{dag_id}/assets/queuedEvents")["total_entries"])

    def asset_graph(self, node_id: str) -> dict[str, Any]:
        """The graph that the web UI draws around a node such as ``dag:<dag_id>`` or ``asset:<id>``: nodes and edges."""
        graph: dict[str, Any] = self.call("GET", "/ui/dependencies", params={"node_id": node_id})
        return graph


def _status(name: str, part: Mapping[str, Any], since: datetime | None) -> str:
    heartbeat = part.get(f"latest_{name}_heartbeat")
    if since is not None and heartbeat and datetime.fromisoformat(heartbeat.replace("Z", "+00:00")) < since:
        return "stale"
    return part.get("status") or "absent"
