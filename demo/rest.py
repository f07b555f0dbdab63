"""A client for the few calls of Airflow's REST API that the demo and the end-to-end tests make."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FINISHED = frozenset({"success", "failed"})
_PAGE = 100
_POLL_SECONDS = 0.5


class AirflowError(RuntimeError):
    """Airflow did not do what was asked of it; the message says what, and where to look."""


class AirflowApi:
    """Airflow 3's REST API at one address, as one user.

    :param url: where the api-server is, without a path.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self._credentials = {"username": username, "password": password}
        # An address on this machine is never behind a proxy.
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def health(self, since: datetime | None = None) -> dict[str, str]:
        """The status of metadatabase, scheduler, triggerer and dag_processor; empty while nobody answers.

        :param since: an older sign of life is ``stale``.
        """
        try:
            parts = self._client.get("/api/v2/monitor/health", timeout=5).raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return {}
        return {name: _status(name, part or {}, since) for name, part in parts.items()}

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """One authenticated call; returns the parsed body.

        :raises AirflowError: the answer is an error, or there is none.
        """
        try:
            if "Authorization" not in self._client.headers:
                self._log_in()
            answer = self._client.request(method, path, **kwargs)
        except httpx.TransportError as error:
            raise AirflowError(f"{method} {self.url}{path}: {error or type(error).__name__}") from error
        if answer.is_error:
            raise AirflowError(f"{method} {self.url}{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def dags(self) -> dict[str, dict[str, Any]]:
        """The active DAGs by id."""
        return {dag["dag_id"]: dag for dag in self._pages("/api/v2/dags", "dags")}

    def import_errors(self) -> list[dict[str, Any]]:
        """The DAG files that could not be imported, with their stack traces."""
        return list(self._pages("/api/v2/importErrors", "import_errors"))

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run by hand; returns its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        run_id: str = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]
        return run_id

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        run: dict[str, Any] = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        return run

    def runs(self, dag_id: str = "~") -> list[dict[str, Any]]:
        """The runs of one DAG, or of all, oldest first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        return list(self._pages(path, "dag_runs", order_by="run_after"))

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

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return list(self._pages(path, "task_instances"))

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task left behind."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"deserialize": "true"})["value"]

    def triggering_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The asset events that a run was started by."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/upstreamAssetEvents"
        events: list[dict[str, Any]] = self.call("GET", path)["asset_events"]
        return events

    def waiting_events(self, dag_id: str) -> int:
        """How many of the assets a DAG is scheduled on have an event for which no run was made yet."""
        return int(self.call("GET", f"/api/v2/dags/{dag_id}/assets/queuedEvents")["total_entries"])

    def assets(self) -> list[dict[str, Any]]:
        """The active assets, each with the DAGs that are scheduled on it and the tasks that produce it."""
        return list(self._pages("/api/v2/assets", "assets"))

    def asset_graph(self, node_id: str) -> dict[str, Any]:
        """The graph that the web UI draws around a node such as ``dag:<dag_id>`` or ``asset:<id>``: nodes and edges."""
        graph: dict[str, Any] = self.call("GET", "/ui/dependencies", params={"node_id": node_id})
        return graph

    def _pages(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            answer = self.call("GET", path, params={**params, "limit": _PAGE, "offset": offset})
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json=self._credentials)
        if answer.is_error:
            raise AirflowError(f"logging in at {self.url} as {self._credentials['username']}: {answer.status_code}")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _status(name: str, part: Mapping[str, Any], since: datetime | None) -> str:
    heartbeat = part.get(f"latest_{name}_heartbeat")
    if since is not None and heartbeat and datetime.fromisoformat(heartbeat.replace("Z", "+00:00")) < since:
        return "stale"
    return part.get("status") or "absent"
