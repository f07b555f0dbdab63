from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from demo import job
from demo.job import REFRESH_DAG, DemoError, MainJob
from demo.progress import Step

if TYPE_CHECKING:
    from pathlib import Path

DAGS = {"orders": "profile.orders", "customers": "profile.customers"}
REASON = {"kind": "data", "field": "version", "before": "1", "after": "2"}


class FakeAirflow:
    """Airflow as the main job sees it; at each look at the runs the next of ``looks`` has happened.

    :param looks: per look, the states of the runs by table.
    :param waiting: for so many looks an asset event still waits for its run.
    """

    def __init__(
        self, home: Path, looks: list[dict[str, str]], *, refresh: str = "success", waiting: int = 0, events: int = 1
    ) -> None:
        self.home = home
        self.api = self
        self._looks = looks
        self._refresh = refresh
        self._waiting = waiting
        self._events = events

    def check(self) -> None:
        pass

    def trigger(self, dag_id: str) -> str:
        assert dag_id == REFRESH_DAG
        return "refresh 1"

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return {"dag_id": dag_id, "dag_run_id": run_id, "state": self._refresh}

    def runs(self) -> list[dict[str, Any]]:
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        other = {"dag_id": "something else", "dag_run_id": "x", "state": "failed"}
        return [other, *({"dag_id": DAGS[table], "dag_run_id": table, "state": state} for table, state in look.items())]

    def waiting_events(self, dag_id: str) -> int:
        assert dag_id in DAGS.values()
        self._waiting -= 1
        return int(self._waiting >= 0)

    def triggering_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        assert dag_id == DAGS[run_id]
        return [{"extra": {"table_key": run_id, "reasons": [REASON]}}] * self._events

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        assert (dag_id, task_id) == (DAGS[run_id], "profile")
        return {"row_count": 7}

    def task_instances(self, *_: str) -> list[dict[str, Any]]:
        return [{"task_id": "profile", "state": "failed"}, {"task_id": "drift", "state": "upstream_failed"}]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(job, "_QUIET_SECONDS", 0.02)


def refresh(airflow: FakeAirflow, *expected: str) -> list[Any]:
    step = Step(Console(file=StringIO()), "refresh")
    return MainJob(airflow, DAGS).refresh(expected, step)  # type: ignore[arg-type]


def test_a_refresh_gives_the_runs_it_started_with_their_reasons(tmp_path: Path) -> None:
    looks = [{}, {}, {"orders": "queued"}, {"orders": "running"}, {"orders": "success"}]
    (run,) = refresh(FakeAirflow(tmp_path, looks), "orders")
    assert (run.table, run.kinds, run.summary) == ("orders", {"data"}, {"row_count": 7})


def test_runs_from_before_the_refresh_do_not_count(tmp_path: Path) -> None:
    assert refresh(FakeAirflow(tmp_path, [{"orders": "success"}])) == []


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        ([{}, {"orders": "success", "customers": "success"}], "runs of orders; there were runs of customers, orders"),
        ([{}, {"customers": "success"}], "expected runs of orders; there were runs of customers"),
        ([{}, {}], "expected runs of orders; there were runs of no table"),
        (
            [{}, {"orders": "success"}, {"orders": "success", "customers": "success"}],
            "expected runs of orders; there were runs of customers, orders",
        ),
    ],
)
def test_other_runs_than_the_expected_ones_are_an_error(
    tmp_path: Path, looks: list[dict[str, str]], message: str
) -> None:
    with pytest.raises(DemoError, match=message):
        refresh(FakeAirflow(tmp_path, looks), "orders")


def test_it_is_not_over_while_an_event_waits_for_its_run(tmp_path: Path) -> None:
    looks = [{}, *[{}] * 30, {"orders": "success"}]
    assert [run.table for run in refresh(FakeAirflow(tmp_path, looks, waiting=30), "orders")] == ["orders"]


def test_a_failed_run_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / f"dag_id={DAGS['orders']}" / "run_id=orders"
    folder.mkdir(parents=True)
    (folder / "attempt=1.log").write_text("first line\ndatabase is on fire\n")
    with pytest.raises(DemoError, match=r"run orders of profile\.orders failed in profile\n(.*\n)*.*on fire"):
        refresh(FakeAirflow(tmp_path, [{}, {"orders": "failed"}]), "orders")


def test_a_failed_refresh_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="run refresh 1 of profilemesh_plan_refresh failed in profile"):
        refresh(FakeAirflow(tmp_path, [{}], refresh="failed"))


def test_a_run_that_no_event_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"run orders of profile\.orders was not started by an asset event"):
        refresh(FakeAirflow(tmp_path, [{}, {"orders": "success"}], events=0), "orders")


def test_a_refresh_that_does_not_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(DemoError, match="have not ended"):
        refresh(FakeAirflow(tmp_path, [{}], refresh="running"))


def test_runs_are_counted_by_table(tmp_path: Path) -> None:
    airflow = FakeAirflow(tmp_path, [{"orders": "success"}])
    assert MainJob(airflow, DAGS).count_runs() == {"orders": 1, "customers": 0}  # type: ignore[arg-type]
