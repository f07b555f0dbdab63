from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from demo.rest import AirflowApi, AirflowError
from demo.standalone import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = [{"dag_run_id": f"run {number}"} for number in range(250)]
HEALTH = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-01-01T10:00:00Z"},
    "triggerer": {"status": None},
}


class FakeAirflow(BaseHTTPRequestHandler):
    """Answers as Airflow does, to whoever has the token."""

    logins: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        self.logins.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        right = self.logins[-1]["password"] == "right"
        self._answer(201 if right else 401, {"access_token": "token"})

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/api/v2/monitor/health":
            self._answer(200, HEALTH)
        elif self.headers["Authorization"] != "Bearer token":
            self._answer(401, {})
        elif address.path == "/api/v2/dags/~/dagRuns":
            query = parse_qs(address.query)
            start, size = int(query["offset"][0]), int(query["limit"][0])
            self._answer(200, {"dag_runs": RUNS[start : start + size], "total_entries": len(RUNS)})
        else:
            self._answer(404, {"detail": "no such thing"})

    def _answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    FakeAirflow.logins.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeAirflow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_all_pages_are_read_with_one_login(url: str) -> None:
    api = AirflowApi(url, "admin", "right")
    assert api.runs() == RUNS
    assert api.runs() == RUNS
    assert FakeAirflow.logins == [{"username": "admin", "password": "right"}]


def test_a_wrong_password_is_an_error_that_does_not_show_it(url: str) -> None:
    with pytest.raises(AirflowError, match="as admin: 401") as caught:
        AirflowApi(url, "admin", "mistaken").runs()
    assert "mistaken" not in str(caught.value)


def test_an_error_names_the_call_and_the_answer(url: str) -> None:
    with pytest.raises(AirflowError, match=rf"GET {url}/api/v2/dags/x/dagRuns/y: 404 .*no such thing"):
        AirflowApi(url, "admin", "right").run("x", "y")


def test_an_old_sign_of_life_is_stale(url: str) -> None:
    api = AirflowApi(url, "admin", "right")
    assert api.health() == {"metadatabase": "healthy", "scheduler": "healthy", "triggerer": "absent"}
    later = api.health(since=datetime(2026, 1, 1, 10, 0, 1, tzinfo=timezone.utc))
    assert later == {"metadatabase": "healthy", "scheduler": "stale", "triggerer": "absent"}


def test_where_nobody_listens_there_is_no_health_and_a_call_is_an_error() -> None:
    api = AirflowApi(f"http://127.0.0.1:{free_port()}", "admin", "right")
    assert api.health() == {}
    with pytest.raises(AirflowError, match=r"POST http.*/auth/token: .*refused; is the api-server running there"):
        api.runs()


def test_a_proxy_in_the_environment_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    assert AirflowApi(url, "admin", "right").runs() == RUNS
