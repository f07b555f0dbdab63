from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from demo.rest import AirflowApi, AirflowError
from demo.standalone import free_port
from tests.stub_airflow import StubAirflow

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def airflow() -> Iterator[StubAirflow]:
    with StubAirflow() as stub:
        yield stub


def admin(airflow: StubAirflow, password: str = "right") -> AirflowApi:
    return AirflowApi(airflow.url, "admin", password)


def test_all_runs_are_read_with_one_login(airflow: StubAirflow) -> None:
    airflow.runs = [{"dag_run_id": f"run {number}"} for number in range(250)]
    api = admin(airflow)
    assert api.runs() == airflow.runs
    assert api.runs() == airflow.runs
    assert airflow.logins == [{"username": "admin", "password": "right"}]


def test_a_wrong_password_is_an_error_that_does_not_show_it(airflow: StubAirflow) -> None:
    with pytest.raises(AirflowError, match="as admin: 401") as caught:
        admin(airflow, "mistaken").runs()
    assert "mistaken" not in str(caught.value)


def test_an_error_names_the_call_and_the_answer(airflow: StubAirflow) -> None:
    with pytest.raises(
        AirflowError, match=rf"GET {airflow.url}/api/v2/dags/x/dagRuns/y: 404 The DAG with ID: .x. was not found"
    ):
        admin(airflow).run("x", "y")


def test_an_old_sign_of_life_is_stale(airflow: StubAirflow) -> None:
    airflow.parts = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-01-01T10:00:00Z"},
        "triggerer": {"status": None},
    }
    api = admin(airflow)
    assert api.health() == {"metadatabase": "healthy", "scheduler": "healthy", "triggerer": "absent"}
    later = api.health(since=datetime(2026, 1, 1, 10, 0, 1, tzinfo=timezone.utc))
    assert later == {"metadatabase": "healthy", "scheduler": "stale", "triggerer": "absent"}


def test_where_nobody_listens_there_is_no_health_and_a_call_is_an_error() -> None:
    api = AirflowApi(f"http://127.0.0.1:{free_port()}", "admin", "right")
    assert api.health() == {}
    with pytest.raises(AirflowError, match=r"POST http.*/auth/token: .*refused; is the api-server running there"):
        api.runs()
