"""A server that answers as the api-server of Airflow 3 does, or the web server of Airflow 2, over real HTTP."""

from __future__ import annotations

import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

TOKEN = "a-token-of-the-stub"

#: ``admin`` with ``right``, as Airflow 2 is told of them.
BASIC = "Basic YWRtaW46cmlnaHQ="

#: One of each as Airflow 3.3.2 answered; what a test adds differs from it where it says so.
RECORDED = json.loads(Path(__file__).with_name("airflow_answers.json").read_text(encoding="utf-8"))


class StubAirflow:
    """What it has is in its attributes; whoever sends the token, or logs in as ``admin`` with ``right``, may ask.

    A run of a DAG that is started ends at once, as :attr:`on_trigger` says.

    :param release: 3, or 2, which takes the login itself and knows no assets.
    :param page_limit: ``[api] maximum_page_limit``.
    :param prefix: the path that a proxy puts before it.
    :param certificate: file with a certificate and its key, for HTTPS.
    """

    def __init__(
        self, page_limit: int = 100, prefix: str = "", certificate: str | None = None, *, release: int = 3
    ) -> None:
        self.root = {3: "/api/v2", 2: "/api/v1"}[release]
        self.page_limit = page_limit
        self.prefix = prefix
        self.version: dict[str, Any] = RECORDED["version"]
        self.parts: dict[str, Any] = dict(RECORDED["health"])
        self.assets: list[dict[str, Any]] = []
        self.dags: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.import_errors: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        #: The note of each DAG run that there is, by its path.
        self.notes: dict[str, str | None] = {}
        #: Numbers of the assets that lost a conflict, or that no DAG declares.
        self.inactive: set[int] = set()
        self.providers: dict[str, str] = {"profilemesh-airflow": version("profilemesh-airflow")}
        #: By section; none where ``[api] expose_config`` is off.
        self.config: dict[str, dict[str, str]] | None = {
            "scheduler": {"max_dagruns_to_create_per_loop": "10"},
            "workers": {"execution_api_timeout": "5.0"},
            "core": {"parallelism": "32"},
        }
        #: In place of the usual answer, by path: status, headers and body.
        self.canned: dict[str, tuple[int, dict[str, str], bytes]] = {}
        #: The ``Date`` of answers, by path, in place of now.
        self.dates: dict[str, str] = {}
        self.asked: list[str] = []
        self.logins: list[Any] = []
        #: The bodies of the runs that were started.
        self.started: list[dict[str, Any]] = []
        #: What becomes of one, by its conf: its state, the states of its tasks, and what a task leaves in XCom, by key.
        self.on_trigger: Callable[[dict[str, Any]], tuple[str, dict[str, str], dict[str, Any]]] = lambda _: (
            "success",
            {},
            {"return_value": []},
        )
        self._ended: tuple[str, dict[str, str], dict[str, Any]] = ("success", {}, {})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_port}{prefix}"

    def __enter__(self) -> StubAirflow:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add_dag(self, dag_id: str, **details: Any) -> None:
        self.dags.append({**RECORDED["dag"], "dag_id": dag_id, **details})

    def add_asset(
        self,
        uri: str,
        *,
        scheduled: tuple[str, ...] = (),
        producers: tuple[str, ...] = (),
        name: str = "",
        active: bool = True,
    ) -> None:
        (consumer,), (producer,) = RECORDED["asset"]["scheduled_dags"], RECORDED["asset"]["producing_tasks"]
        dags = {
            "scheduled_dags": [{**consumer, "dag_id": dag_id} for dag_id in scheduled],
            "producing_tasks": [{**producer, "dag_id": dag_id} for dag_id in producers],
        }
        number = len(self.assets) + 1
        self.assets.append({**RECORDED["asset"], "id": number, "uri": uri, "name": name or uri, **dags})
        if not active:
            self.inactive.add(number)

    def add_event(self, uri: str | None, source_dag_id: str | None) -> None:
        self.events.append({**RECORDED["event"], "uri": uri, "name": uri, "source_dag_id": source_dag_id})

    def add_import_error(self, **details: str) -> None:
        self.import_errors.append({**RECORDED["import_error"], **details})

    def answer(self, method: str, path: str, query: dict[str, str], token: str | None) -> tuple[int, Any]:
        if path == f"{self.root}/version":
            return 200, self.version
        if not path.startswith((self.root, "/auth/")):
            return 404, {"detail": "Not Found"}
        if path == "/api/v2/monitor/health":
            return 200, self.parts
        if (method, path) == ("POST", "/auth/token"):
            right = self.logins[-1] == {"username": "admin", "password": "right"}
            return (201, {"access_token": TOKEN}) if right else (401, {"detail": "Invalid credentials"})
        if token != f"Bearer {TOKEN}" and not (self.root == "/api/v1" and token == BASIC):
            return 401, {"detail": "Not authenticated"}
        if path in self.notes:
            return 200, {"note": self.notes[path]}
        parts = path.removeprefix(self.root).split("/")
        if parts[1] == "dags" and len(parts) > 2 and parts[2] != "~":
            return self._dag(method, parts[2:])
        if path == "/api/v2/config":
            return self._settings(query["section"])
        listing = self._listing(path, query)
        if listing is None:
            return 404, {"detail": "no such thing"}
        key, found = listing
        start, size = int(query.get("offset", 0)), min(int(query.get("limit", 50)), self.page_limit)
        return 200, {key: found[start : start + size], "total_entries": len(found)}

    def _dag(self, method: str, parts: list[str]) -> tuple[int, Any]:
        dag = next((dag for dag in self.dags if dag["dag_id"] == parts[0]), None)
        if dag is None:
            return 404, {"detail": f"The DAG with ID: `{parts[0]}` was not found"}
        if method == "POST":
            self._ended = self.on_trigger(self.started[-1]["conf"])
            return 200, {"dag_run_id": "manual__1", "state": "queued"}
        state, tasks, xcom = self._ended
        if parts[-1] == "taskInstances":
            found = [{"task_id": name, "state": each} for name, each in tasks.items()]
            return 200, {"task_instances": found, "total_entries": len(found)}
        if "xcomEntries" in parts:
            value = xcom[parts[-1]]
            return 200, {"value": str(value) if self.root == "/api/v1" else value}
        return 200, dag if len(parts) == 1 else {"dag_run_id": parts[-1], "state": state}

    def _settings(self, section: str) -> tuple[int, Any]:
        if self.config is None:
            return RECORDED["config_hidden"]["status"], RECORDED["config_hidden"]["body"]
        options = [{"key": key, "value": value} for key, value in self.config.get(section, {}).items()]
        return 200, {"sections": [{"name": section, "options": options}]}

    def _listing(self, path: str, query: dict[str, str]) -> tuple[str, list[dict[str, Any]]] | None:
        if path == "/api/v2/assets":
            return "assets", [each for each in self.assets if self._asks_for(each, query)]
        if path == "/api/v2/providers":
            return "providers", [{"package_name": name, "version": self.providers[name]} for name in self.providers]
        if path == "/api/v2/assets/events":
            return "asset_events", [
                each for each in self.events if _like(query.get("name_pattern", ""), each["uri"] or "")
            ]
        if path == "/api/v2/dags":
            return "dags", [dag for dag in self.dags if not dag["is_stale"] and self._wanted(dag["dag_id"], query)]
        listings = {"/api/v2/importErrors": "import_errors", "/api/v2/dags/~/dagRuns": "dag_runs"}
        key = listings.get(path)
        return (key, self.runs if key == "dag_runs" else self.import_errors) if key else None

    def _asks_for(self, asset: dict[str, Any], query: dict[str, str]) -> bool:
        if query.get("only_active") != "false" and asset["id"] in self.inactive:
            return False
        return _like(query.get("uri_pattern", ""), asset["uri"]) and _like(query.get("name_pattern", ""), asset["name"])

    def _wanted(self, dag_id: str, query: dict[str, str]) -> bool:
        if "asset_dependency" in query:
            return any(
                dag_id in (dag["dag_id"] for dag in asset["scheduled_dags"])
                for asset in self.assets
                if query["asset_dependency"].lower() in asset["uri"].lower()
            )
        return _like(query.get("dag_id_pattern", ""), dag_id)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                path = address.path.removeprefix(stub.prefix)
                stub.asked.append(f"{self.command} {path}")
                if path in stub.canned:
                    self._send(*stub.canned[path])
                    return
                query = dict(parse_qsl(address.query))
                status, body = stub.answer(self.command, path, query, self.headers["Authorization"])
                self._date = stub.dates.get(path)
                self._send(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

            def date_time_string(self, timestamp: float | None = None) -> str:
                return getattr(self, "_date", None) or super().date_time_string(timestamp)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                (stub.logins if self.path.endswith("/auth/token") else stub.started).append(body)
                self.do_GET()

            def do_PATCH(self) -> None:
                path = urlsplit(self.path).path.removeprefix(stub.prefix)
                stub.notes[path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["note"]
                self.do_GET()

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _like(pattern: str, text: str) -> bool:
    """As the database's ``ILIKE '%pattern%'``: case and the characters ``_`` and ``%`` mean nothing."""
    wanted = re.escape(pattern).replace("_", ".").replace("%", ".*")
    return re.search(wanted, text, re.IGNORECASE) is not None
