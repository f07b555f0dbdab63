from __future__ import annotations

import socket
from contextlib import closing
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from profilemesh_airflow.airflow_api import AirflowApi
from profilemesh_airflow.exceptions import AirflowApiError, AirflowUnavailableError, ConfigError, NotInAirflowError
from tests.stub_airflow import BASIC, TOKEN, StubAirflow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "profilemesh://prod/shop/change/"


@pytest.fixture
def airflow() -> Iterator[StubAirflow]:
    with StubAirflow() as stub:
        yield stub


def admin(airflow: StubAirflow, password: str = "right") -> AirflowApi:
    return AirflowApi(airflow.url, "admin", password)


def nobody_listens() -> str:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_every_page_is_read_with_one_login_however_small_the_server_makes_them() -> None:
    with StubAirflow(page_limit=10) as airflow, admin(airflow) as api:
        for number in range(25):
            airflow.add_dag(f"dag_{number}")
        assert list(api.dags()) == [f"dag_{number}" for number in range(25)]
        assert list(api.dags(dag_id_pattern="dag_2")) == ["dag_2", *(f"dag_{number}" for number in range(20, 25))]

    assert airflow.asked == ["POST /auth/token", *["GET /api/v2/dags"] * 4]


def test_a_token_needs_no_login(airflow: StubAirflow) -> None:
    with AirflowApi(airflow.url, token=TOKEN) as api:
        assert api.import_errors() == []
    assert airflow.logins == []


def test_assets_are_those_with_exactly_the_prefix(airflow: StubAirflow) -> None:
    for uri in (f"{PREFIX}orders", "profilemesh://PROD/shop/change/orders", "profilemesh://prod/shop/profile/orders"):
        airflow.add_asset(uri)

    assert [asset["uri"] for asset in admin(airflow).assets(PREFIX)] == [f"{PREFIX}orders"]
    assert len(admin(airflow).assets()) == 3


def test_version_and_health_need_no_login(airflow: StubAirflow) -> None:
    airflow.parts["triggerer"] = None

    with AirflowApi(airflow.url) as api:
        assert api.version() == "3.3.2"
        assert api.parts()["scheduler"]["status"] == "healthy"
        assert api.parts()["triggerer"] == {}


@pytest.mark.parametrize("suffix", ["", "/", "/api/v2", "/api/v2/"])
def test_the_path_before_airflow_is_kept_and_its_own_is_not_needed(suffix: str) -> None:
    with StubAirflow(prefix="/team/airflow") as airflow, AirflowApi(airflow.url + suffix, "admin", "right") as api:
        assert api.url == airflow.url
        assert api.dags() == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://ann:hunter2@db:80",
        "https://hunter2@db",
        "ftp://airflow",
        "airflow",
        "airflow:8080",
        "http://",
        "",
        "http://a/?b=c",
        "http://a:b",
    ],
)
def test_what_is_no_address_or_holds_a_login_is_refused_and_the_login_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="the address of") as caught:
        AirflowApi(url)
    assert "hunter2" not in str(caught.value)


def test_a_wrong_password_says_so_and_does_not_show_it(airflow: StubAirflow) -> None:
    with pytest.raises(AirflowApiError, match=r"as admin: 401; check user name and password$") as caught:
        admin(airflow, "mistaken").dags()
    assert "mistaken" not in str(caught.value)


def test_a_token_that_is_no_longer_valid_says_so_and_is_not_shown(airflow: StubAirflow) -> None:
    airflow.canned["/api/v2/dags"] = (401, {}, b"expired: an-old-token")
    with pytest.raises(AirflowApiError, match=r"401 expired: \*\*\*; the login or token is not") as caught:
        AirflowApi(airflow.url, token="an-old-token").dags()
    assert "an-old-token" not in str(caught.value)


def test_nobody_is_asked_without_a_login(airflow: StubAirflow) -> None:
    with pytest.raises(AirflowApiError, match="give a user name and a password, or a token"):
        AirflowApi(airflow.url, "admin").dags()
    assert airflow.asked == []


HTML = b"<!DOCTYPE html><html>\n<body>long page</body></html>"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((403, {}, b'{"detail": "Forbidden"}'), "403 Forbidden; give the token or the login of a user who may do that"),
        ((404, {}, HTML), "404 Not Found; is this the address of the api-server"),
        ((422, {}, b'{"detail": [{"msg": "bad"}]}'), r"422 \[\{'msg': 'bad'\}\]$"),
        ((500, {}, b"boom\nat line 1"), "500 boom at line 1$"),
        ((503, {}, HTML), "503 Service Unavailable$"),
        ((200, {}, HTML), "the answer is no JSON; is this the address of the api-server"),
        (
            (302, {"Location": "https://login.example.com/sso?state=hidden"}, b""),
            r"redirected to https://login\.example\.com/sso; give the address behind that, or a token$",
        ),
    ],
)
def test_an_answer_that_is_an_error_says_what_was_asked_and_what_to_do(
    airflow: StubAirflow, answer: tuple[int, dict[str, str], bytes], message: str
) -> None:
    airflow.canned["/api/v2/dags"] = answer
    with pytest.raises(AirflowApiError, match=rf"^GET {airflow.url}/api/v2/dags: {message}"):
        admin(airflow).dags(paused=True)


def test_an_airflow_2_is_told_from_what_is_no_airflow(airflow: StubAirflow) -> None:
    airflow.canned["/api/v2/version"] = (404, {}, HTML)
    with pytest.raises(AirflowApiError, match="404 Not Found; is this the address of the api-server"):
        admin(airflow).version()

    airflow.canned["/api/v1/version"] = (200, {}, b'{"version": "2.11.2", "git_version": null}')
    with pytest.raises(
        AirflowApiError, match=r"is an Airflow 2\.11\.2, and only the REST API of Airflow 3 is supported"
    ):
        admin(airflow).version()


@pytest.mark.parametrize("body", [b"[]", b"{}", b"", b'"3.3.2"'])
def test_what_tells_no_version_is_no_airflow(airflow: StubAirflow, body: bytes) -> None:
    airflow.canned["/api/v2/version"] = (200, {}, body)
    with pytest.raises(AirflowApiError, match=r"/api/v2/version tells no version; is this the address of the api-"):
        admin(airflow).version()


def test_an_airflow_without_logins_by_password_says_so(airflow: StubAirflow) -> None:
    airflow.canned["/auth/token"] = (404, {}, b"")
    with pytest.raises(AirflowApiError, match="gives no token for a user name and a password; give a token"):
        admin(airflow).dags()


def test_where_nobody_listens_that_is_said() -> None:
    with pytest.raises(AirflowApiError, match=r"refused; is the api-server running there\?$"):
        AirflowApi(nobody_listens()).version()


def test_an_answer_that_does_not_come_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilemesh_airflow.airflow_api.TIMEOUT", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        api = AirflowApi(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(AirflowApiError, match="no answer in time; is Airflow overloaded"):
            api.version()


def test_what_is_on_this_machine_is_not_asked_through_a_proxy_and_others_are(
    airflow: StubAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", nobody_listens())
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert admin(airflow).dags() == {}
    monkeypatch.setenv("HTTP_PROXY", airflow.url)
    assert AirflowApi("http://airflow.invalid").version() == "3.3.2"


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    """A certificate that vouches for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return str(path)


def test_a_certificate_is_verified_with_the_authority_that_the_environment_names(
    certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StubAirflow(certificate=certificate) as airflow:
        with pytest.raises(AirflowApiError, match=r"CERTIFICATE_VERIFY_FAILED.*let SSL_CERT_FILE name the file"):
            AirflowApi(airflow.url).version()
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        assert AirflowApi(airflow.url).version() == "3.3.2"


@pytest.mark.parametrize(("variable", "value"), [("SSL_CERT_FILE", "/nowhere.pem"), ("HTTPS_PROXY", "gopher://proxy")])
def test_an_environment_that_does_not_let_anybody_be_asked_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(
        ConfigError, match=f"check HTTP_PROXY, .*{variable}" if variable.startswith("SSL") else variable
    ):
        AirflowApi("https://airflow.invalid")


def test_tls_where_there_is_none_says_so(airflow: StubAirflow) -> None:
    with pytest.raises(AirflowApiError, match=r"there is no TLS at this address: begin it with http$"):
        AirflowApi(airflow.url.replace("http:", "https:")).version()


class TestRuns:
    """What is asked of DAGs and their runs, of either release."""

    @pytest.mark.parametrize(("release", "asked"), [(3, "POST /auth/token"), (2, "GET /api/v1/version")])
    def test_a_run_is_started_and_looked_at(self, release: int, asked: str) -> None:
        with StubAirflow(release=release) as airflow, admin(airflow) as api:
            airflow.add_dag("dag")
            airflow.on_trigger = lambda conf: ("failed", {"look": "failed"}, {"return_value": [[conf["x"], None]]})

            assert api.trigger("dag", {"x": 1}) == "manual__1"
            assert api.run("dag", "manual__1")["state"] == "failed"
            assert [task["task_id"] for task in api.task_instances("dag", "manual__1")] == ["look"]
            assert api.xcom("dag", "manual__1", "look") == [[1, None]]
            assert asked in airflow.asked
            # Airflow 2 refuses a key that it does not know.
            assert ("logical_date" in airflow.started[0]) == (release == 3)

    def test_airflow_2_is_told_the_login_itself_and_it_is_never_shown(self) -> None:
        with StubAirflow(release=2) as airflow:
            airflow.add_dag("dag")
            assert admin(airflow).dag("dag")["dag_id"] == "dag"
            with pytest.raises(AirflowApiError, match="auth_backends needs airflow") as caught:
                admin(airflow, "mistaken").dag("dag")
            assert "mistaken" not in str(caught.value)
            airflow.canned["/api/v1/dags/dag"] = (500, {}, BASIC.encode())
            with pytest.raises(AirflowUnavailableError) as shown:
                admin(airflow).dag("dag")
            assert BASIC.partition(" ")[2] not in str(shown.value)

    def test_a_dag_that_is_not_there_is_told_from_other_troubles(self, airflow: StubAirflow) -> None:
        with pytest.raises(NotInAirflowError):
            admin(airflow).dag("gone")

    @pytest.mark.parametrize(
        ("status", "passes"), [(500, True), (502, True), (503, True), (429, True), (403, False), (422, False)]
    )
    def test_what_may_pass_is_told_from_what_does_not(self, airflow: StubAirflow, status: int, passes: bool) -> None:
        airflow.canned["/api/v2/dags/dag"] = (status, {}, b"{}")
        with pytest.raises(AirflowApiError) as caught:
            admin(airflow).dag("dag")
        assert isinstance(caught.value, AirflowUnavailableError) == passes


def test_a_note_is_written_where_there_is_none_and_nobodys_own_is_written_over(airflow: StubAirflow) -> None:
    mine, theirs = (f"/api/v2/dags/d%2F1/dagRuns/{run}" for run in ("manual__1%2B00%3A00", "other"))
    airflow.notes = {mine: None, theirs: "do not touch"}
    with admin(airflow) as api:
        assert api.note_run("d/1", "manual__1+00:00", "why") is True
        assert api.note_run("d/1", "manual__1+00:00", "why else") is False
        assert api.note_run("d/1", "other", "why") is False
    assert airflow.notes == {mine: "why", theirs: "do not touch"}
