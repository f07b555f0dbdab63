from __future__ import annotations

import pytest

from tests.stub_airflow import TOKEN, StubAirflow

CHECKED = "store, warehouse, plan-lock, overdue-changes, parked-changes, expired-leases, event-hooks, clocks"
ASKED = "airflow, provider, airflow-settings, refresh-dag, consumers, stale-dags, assets, import-errors"


@pytest.fixture
def airflow(monkeypatch):
    monkeypatch.delenv("PROFILEMESH_AIRFLOW_URL", raising=False)
    with StubAirflow() as stub:
        yield stub


@pytest.fixture
def parked(shop):
    """Orders was profiled, ghost is parked: it was away at that time."""
    shop.configure("orders", "ghost", airflow={"max_attempts": 1})
    shop.run("profile")
    shop.sql("CREATE TABLE ghost (id INTEGER PRIMARY KEY)")
    return shop


def test_where_nothing_is_wrong_it_says_what_was_checked_and_what_was_not(shop):
    shop.run("profile")

    result = shop.run("doctor")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"not checked: {ASKED}: not asked: give --airflow",
        f"nothing found; checked: {CHECKED}",
    ]


def test_a_finding_says_where_what_and_what_to_do_and_gives_exit_code_1(parked):
    result = parked.run("doctor")

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].split() == ["severity", "check", "where", "what,", "and", "what", "to", "do"]
    assert lines[1].split(maxsplit=3)[:3] == ["error", "parked-changes", "ghost"]
    assert "failed once, the last time at 20" in lines[1]
    assert "TableMissingError: table ghost was not found" in lines[1]
    assert lines[1].endswith("; -> mend the cause, then run `profilemesh-airflow replay ghost`")
    assert lines[-1] == f"1 error; checked: {CHECKED}"


def test_a_warning_gives_exit_code_1_too(shop):
    result = shop.run("doctor")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == f"1 warning; checked: {CHECKED}"


def test_the_worst_stands_last_next_to_the_prompt(parked, airflow):
    airflow.add_asset("profilemesh://test/shop/change/ghost", scheduled=("theirs",), producers=("refresh",))
    for dag_id in ("theirs", "refresh"):
        airflow.add_dag(dag_id)

    result = parked.run("doctor", "--airflow", airflow.url, "--token", TOKEN)

    rows = [line.split()[:3] for line in result.stdout.splitlines()[1:3]]
    assert rows == [["warning", "consumers", "orders"], ["error", "parked-changes", "ghost"]]
    assert result.stdout.splitlines()[-1].startswith("1 error, 1 warning; checked: store")


def test_many_findings_of_a_check_are_counted_and_the_document_has_them_all(shop):
    ghosts = [f"ghost{number:02}" for number in range(25)]
    shop.configure(*ghosts, airflow={"max_attempts": 1})
    shop.run("profile")
    shop.sql(*(f"CREATE TABLE {ghost} (id INTEGER PRIMARY KEY)" for ghost in ghosts))

    lines = shop.run("doctor").stdout.splitlines()

    assert [line.split()[2] for line in lines[1:21]] == ghosts[:20]
    assert lines[21] == "and 5 more errors of parked-changes; --format json has them all"
    assert lines[-1].startswith("25 errors; ")
    assert len(shop.answer("doctor", exit_code=1)["findings"]) == 25


def test_the_document_is_findings_and_checks(parked):
    document = parked.answer("doctor", exit_code=1)

    (finding,) = document["findings"]
    assert list(document) == ["findings", "checks"]
    assert list(finding) == ["check", "severity", "where", "what", "remedy"]
    assert document["checks"][0] == {"check": "store", "why_not": None}
    assert document["checks"][-1] == {"check": "import-errors", "why_not": "not asked: give --airflow"}


def test_address_and_login_may_come_from_the_environment(parked, airflow, monkeypatch):
    monkeypatch.setenv("PROFILEMESH_AIRFLOW_URL", airflow.url)
    monkeypatch.setenv("PROFILEMESH_AIRFLOW_USERNAME", "admin")
    monkeypatch.setenv("PROFILEMESH_AIRFLOW_PASSWORD", "right")

    checks = parked.answer("doctor", exit_code=1)["checks"]

    assert {check["why_not"] for check in checks} == {None}
    assert airflow.logins == [{"username": "admin", "password": "right"}]


def test_an_airflow_that_cannot_be_reached_is_a_finding_and_no_crash(parked, airflow):
    airflow.canned["/api/v2/version"] = (502, {}, b"<html>bad gateway</html>")

    findings = parked.answer("doctor", "--airflow", airflow.url, "--token", "x", exit_code=1)["findings"]

    assert [finding["check"] for finding in findings] == ["parked-changes", "airflow"]
    assert findings[1]["what"] == f"GET {airflow.url}/api/v2/version: 502 Bad Gateway"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--airflow", "http://a"), "Airflow wants a login: give --username and --password, or --token"),
        (("--airflow", "http://a", "--username", "ann"), "Airflow wants a login"),
        (("--airflow", "http://ann:hunter2@a", "--token", "a-token"), "the address of Airflow holds a login"),
        (("--airflow", "a:8080", "--token", "a-token"), "'a:8080' is not the address of an Airflow"),
    ],
)
def test_an_address_without_a_login_or_with_one_in_it_is_bad_usage(parked, options, message):
    result = parked.run("doctor", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("more", [(), ("--debug",), ("--format", "json")])
def test_no_login_is_ever_printed(parked, airflow, more):
    airflow.canned["/api/v2/assets"] = (500, {}, b"no idea who hunter2-token is")

    result = parked.run("doctor", "--airflow", airflow.url, "--token", "hunter2-token", *more)

    assert result.exit_code == 1
    assert "hunter2" not in result.output


def test_a_wrong_configuration_is_bad_usage(shop):
    shop.config.write_text("environment: [")

    assert shop.run("doctor").exit_code == 2


def test_it_writes_nothing(parked):
    before = parked.files()

    parked.run("doctor")

    assert parked.files() == before
