"""A client for what this package asks of a running Airflow over its REST API.

What it says of assets and of import errors is asked of Airflow 3 (``/api/v2``); DAGs and their runs of Airflow 2
(``/api/v1``), too.
"""

from __future__ import annotations

import json
from ast import literal_eval
from base64 import b64encode
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from profilemesh_airflow.core.connection import without_secrets
from profilemesh_airflow.exceptions import (
    AirflowApiError,
    AirflowUnavailableError,
    ConfigError,
    NotInAirflowError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

API = "/api/v2"

#: The same of Airflow 2.
API_2 = "/api/v1"

#: Seconds to wait for an answer.
TIMEOUT = 30.0

#: So many entries are asked for at a time; the server's ``[api] maximum_page_limit`` (100, unless set) caps it.
_PAGE = 1000

_SHOWN_LENGTH = 500

_REMEDIES = {
    401: "the login or token is not (or no longer) valid",
    403: "give the token or the login of a user who may do that",
    404: "is this the address of the api-server, with the path that a proxy puts before it?",
    429: "too many requests; try again later",
}


#: What Airflow 2 answers with 401, too.
_REMEDY_2 = (
    "the login or token is not valid, or this Airflow takes none: its [api] auth_backends needs "
    "airflow.api.auth.backend.basic_auth for a login"
)


class AirflowApi:
    """Airflow's REST API at one address, as one user. Use it as a context manager, or close it.

    Nothing is sent before it is asked for something.

    :param url: where the api-server is, with the path that a proxy puts before it, if any.
    :param username: who logs in, with ``password``, where there is no ``token``.
    :param token: a bearer token, for an Airflow whose users log in elsewhere.
    :raises ConfigError: the address is none of HTTP, or holds a login; or the environment names a proxy or
        certificates that cannot be used.
    """

    def __init__(
        self, url: str, username: str | None = None, password: str | None = None, *, token: str | None = None
    ) -> None:
        address = _address(url)
        self.url = str(address).rstrip("/")
        self._credentials = {"username": username, "password": password}
        self._secrets = tuple(filter(None, (password, token)))
        self._client = _client(address)
        if token:
            self._use(token)

    @cached_property
    def release(self) -> tuple[str, str]:
        """Where the API is, ``/api/v2`` or ``/api/v1``, and the version of Airflow; needs no login.

        :raises AirflowApiError: nobody answers, or it is no Airflow.
        """
        answer = self._send("GET", f"{API}/version")
        if answer.status_code == httpx.codes.NOT_FOUND:
            before = self._send("GET", f"{API_2}/version")
            if before.is_success:
                return API_2, self._version_in(before)
        return API, self._version_in(answer)

    def version(self) -> str:
        """The version of the Airflow 3 at this address; needs no login.

        :raises AirflowApiError: nobody answers, or it is no Airflow 3.
        """
        root, version = self.release
        if root != API:
            raise AirflowApiError(
                f"{self.url} is an Airflow {version}, and only the REST API of Airflow 3 is "
                "supported; look at this one in its web UI"
            )
        return version

    def parts(self) -> dict[str, dict[str, Any]]:
        """What metadatabase, scheduler, triggerer and dag_processor say of their health, by name; needs no login.

        :raises AirflowApiError: nobody answers, or not as Airflow does.
        """
        parts: dict[str, dict[str, Any] | None] = self._parsed(self._send("GET", f"{API}/monitor/health", timeout=5.0))
        return {name: part or {} for name, part in parts.items()}

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """One call as the user; returns the parsed body.

        :param path: from the root, such as ``/api/v2/dags``.
        :param arguments: what httpx takes: ``params``, ``json``.
        :raises AirflowApiError: the answer is an error, or there is none.
        """
        if "Authorization" not in self._client.headers:
            self._log_in(path)
        return self._parsed(self._send(method, path, **arguments))

    def dag(self, dag_id: str) -> dict[str, Any]:
        """One DAG.

        :raises NotInAirflowError: there is none of this id, or the user may not see it.
        """
        found: dict[str, Any] = self.call("GET", f"{self.release[0]}/dags/{quote(dag_id, safe='')}")
        return found

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG by hand; returns its id.

        :raises NotInAirflowError: there is no such DAG.
        """
        root, _ = self.release
        # Airflow 3 wants to be told of a date, even of none; Airflow 2 takes the present moment.
        date = {"logical_date": None} if root == API else {}
        body = {"conf": dict(conf or {}), **date}
        run_id: str = self.call("POST", self._runs(dag_id), json=body)["dag_run_id"]
        return run_id

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run of a DAG."""
        run: dict[str, Any] = self.call("GET", f"{self._runs(dag_id)}/{quote(run_id, safe='')}")
        return run

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"{self._runs(dag_id)}/{quote(run_id, safe='')}/taskInstances"
        return list(self.pages(path, "task_instances"))

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task left behind, as plain data."""
        path = f"{self._runs(dag_id)}/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries/{key}"
        return _plain(self.call("GET", path)["value"])

    def dags(self, **filters: Any) -> dict[str, dict[str, Any]]:
        """The DAGs that are there, by id; one that is stale or deleted is not.

        :param filters: query parameters of the listing, such as ``paused=True``.
        """
        return {dag["dag_id"]: dag for dag in self.pages(f"{API}/dags", "dags", **filters)}

    def assets(self, prefix: str = "", *, only_active: bool = True) -> list[dict[str, Any]]:
        """The assets, each with the DAGs that are scheduled on it and the tasks that produce it.

        :param prefix: only those whose URI begins so.
        :param only_active: only those that some DAG declares, and that have won every conflict over name and URI.
        """
        # The server finds the text anywhere, in any case, and takes `_` and `%` in it for wildcards.
        filters: dict[str, Any] = {"uri_pattern": prefix} if prefix else {}
        if not only_active:
            filters["only_active"] = False
        found = self.pages(f"{API}/assets", "assets", **filters)
        return [asset for asset in found if asset["uri"].startswith(prefix)]

    def assets_named(self, prefix: str) -> list[dict[str, Any]]:
        """The same, by the beginning of their name."""
        found = self.pages(f"{API}/assets", "assets", name_pattern=prefix)
        return [asset for asset in found if asset["name"].startswith(prefix)]

    def count_assets(self, prefix: str, *, only_active: bool = True) -> int:
        """About how many assets there are whose URI begins so: the server may count a few that only look alike."""
        params = {"uri_pattern": prefix, "only_active": only_active, "limit": 1}
        return int(self.call("GET", f"{API}/assets", params=params)["total_entries"])

    def providers(self) -> dict[str, str]:
        """The provider packages that the api-server has, and the version of each."""
        return {each["package_name"]: each["version"] for each in self.pages(f"{API}/providers", "providers")}

    def settings(self, section: str) -> dict[str, str]:
        """One section of the settings of the api-server, by name.

        :raises AirflowApiError: also where ``[api] expose_config`` is off, as it is unless somebody turns it on.
        """
        answer = self.call("GET", f"{API}/config", params={"section": section}, headers={"Accept": "application/json"})
        return {each["key"]: str(each["value"]) for part in answer["sections"] for each in part["options"]}

    def time(self) -> datetime:
        """The moment by the clock of the api-server, to the second, or of what answers in its place.

        :raises AirflowApiError: nobody answers, or without a date.
        """
        answer = self._send("GET", f"{API}/version")
        try:
            return parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            raise AirflowApiError(f"{self.url} tells no date with its answers; does a proxy take it away?") from None

    def import_errors(self) -> list[dict[str, Any]]:
        """The DAG files that could not be imported, with their stack traces."""
        return list(self.pages(f"{API}/importErrors", "import_errors"))

    def note_run(self, dag_id: str, run_id: str, text: str) -> bool:
        """Write the note of a DAG run, unless it has one; says whether it did.

        :raises AirflowApiError: as :meth:`call`.
        """
        path = f"{API}/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
        if self.call("GET", path)["note"]:
            return False
        self.call("PATCH", path, params={"update_mask": "note"}, json={"note": text})
        return True

    def pages(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """A whole listing, a page at a time.

        :param key: what the entries stand under.
        :raises AirflowApiError: as :meth:`call`.
        """
        offset = 0
        while True:
            answer = self.call("GET", path, params={**params, "limit": _PAGE, "offset": offset})
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _runs(self, dag_id: str) -> str:
        return f"{self.release[0]}/dags/{quote(dag_id, safe='')}/dagRuns"

    def _log_in(self, path: str) -> None:
        if not all(self._credentials.values()):
            raise AirflowApiError(f"{self.url} wants to know who asks: give a user name and a password, or a token")
        if path.startswith(API_2):
            pair = ":".join(map(str, self._credentials.values()))
            self._use(b64encode(pair.encode()).decode(), "Basic")
            return
        answer = self._send("POST", "/auth/token", json=self._credentials)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise AirflowApiError(f"{self.url} gives no token for a user name and a password; give a token")
        if answer.is_client_error:
            raise AirflowApiError(
                f"logging in at {self.url} as {self._credentials['username']}: {answer.status_code}; "
                "check user name and password"
            )
        self._use(self._parsed(answer)["access_token"])

    def _use(self, token: str, scheme: str = "Bearer") -> None:
        self._secrets = (*self._secrets, token)
        self._client.headers["Authorization"] = f"{scheme} {token}"

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise AirflowUnavailableError(f"{method} {self.url}{path}: {self._shown(_why_unsent(error))}") from error

    def _version_in(self, answer: httpx.Response) -> str:
        told = self._parsed(answer)
        if not isinstance(told, dict) or "version" not in told:
            raise AirflowApiError(f"{answer.request.url} tells no version; is this the address of the api-server?")
        return str(told["version"])

    def _parsed(self, answer: httpx.Response) -> Any:
        asked = f"{answer.request.method} {answer.request.url.copy_with(query=None)}"
        if answer.is_redirect:
            target = answer.headers.get("Location", "").partition("?")[0]
            raise AirflowApiError(f"{asked}: redirected to {target}; give the address behind that, or a token")
        if answer.is_error:
            status = answer.status_code
            text = self._shown(f"{status} {_told(answer)}")
            remedy = _REMEDY_2 if status == 401 and f"{API_2}/" in asked else _REMEDIES.get(status)
            raise _error_class(status)("; ".join(filter(None, (f"{asked}: {text}", remedy))))
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise AirflowApiError(f"{asked}: the answer is no JSON; is this the address of the api-server?") from None

    def _shown(self, text: str) -> str:
        """``text`` on one line, shortened, and without a secret."""
        return " ".join(without_secrets(text, self._secrets).split())[:_SHOWN_LENGTH]


def _address(url: str) -> httpx.URL:
    # The address itself is not shown where it may hold a login.
    try:
        address = httpx.URL(url.strip().rstrip("/").removesuffix(API))
    except httpx.InvalidURL as error:
        raise ConfigError(f"the address of Airflow is none: {error}; write it as https://airflow.example.com") from None
    if address.userinfo:
        raise ConfigError("the address of Airflow holds a login, which others could read; give the login apart from it")
    if address.scheme not in ("http", "https") or not address.host or address.query or address.fragment:
        raise ConfigError(f"{url!r} is not the address of an Airflow; write it as https://airflow.example.com")
    return address


def _client(address: httpx.URL) -> httpx.Client:
    host = f"[{address.host}]" if ":" in address.host else address.host
    # What is on this machine is never behind a proxy.
    direct = {f"all://{host}": None} if _is_local(address.host) else None
    try:
        return httpx.Client(base_url=address, timeout=TIMEOUT, mounts=direct)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{error}; check HTTP_PROXY, HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE") from error


def _is_local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _why_unsent(error: httpx.HTTPError) -> str:
    said = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time; is Airflow overloaded, or a firewall in between?"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"{said}; let SSL_CERT_FILE name the file with the certificate of its authority"
    if "WRONG_VERSION_NUMBER" in said:
        return f"{said}; there is no TLS at this address: begin it with http"
    if isinstance(error, httpx.ProxyError):
        return f"{said}; check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    if isinstance(error, httpx.ConnectError):
        return f"{said}; is the api-server running there?"
    return said


def _plain(value: Any) -> Any:
    """A value of XCom: as it is, as JSON, or, from Airflow 2, as Python writes it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return literal_eval(value)


def _error_class(status: int) -> type[AirflowApiError]:
    if status == httpx.codes.NOT_FOUND:
        return NotInAirflowError
    passes = status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR
    return AirflowUnavailableError if passes else AirflowApiError


def _told(answer: httpx.Response) -> str:
    """What the server says of its error; a page for people says nothing."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase if answer.text.lstrip().startswith("<") else answer.text
    # Airflow 2 says some things in the title alone.
    said = (body.get("detail") or body.get("title")) if isinstance(body, dict) else None
    return str(said) if said else answer.text
